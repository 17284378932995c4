package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Authorities are the keys whose signature makes a certificate good.
type Authorities []gossh.PublicKey

// ReadAuthorities reads the public keys of CAs, one a line, in the form of
// authorized_keys: what sshd calls TrustedUserCAKeys. An empty path is none.
func ReadAuthorities(path string) (Authorities, error) {
	if path == "" {
		return nil, nil
	}
	rest, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("trusted user CA: %w", err)
	}
	var list Authorities
	for len(bytes.TrimSpace(rest)) > 0 {
		var key gossh.PublicKey
		if key, _, _, rest, err = gossh.ParseAuthorizedKey(rest); err != nil {
			break // what follows is comments
		}
		if err := people.AcceptableKey(key); err != nil {
			return nil, fmt.Errorf("trusted user CA %s: %w", path, err)
		}
		list = append(list, key)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("trusted user CA: %s holds no public key; write the CA's .pub file there", path)
	}
	return list, nil
}

func (a Authorities) trust(key gossh.PublicKey) bool {
	for _, k := range a {
		if bytes.Equal(k.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// certificateError is what a certificate's holder is told. It says nothing
// about users: that the principals name nobody is core.ErrNotFound.
type certificateError struct{ error }

func refuseCert(format string, args ...any) error {
	return &certificateError{fmt.Errorf(format, args...)}
}

// certified checks a certificate up to its signature, and finds the user
// that one of its principals names. What x/crypto leaves to us: a
// certificate without principals would be good for everyone, and a CA could
// still sign with SHA-1.
func (s *Server) certified(ctx context.Context, cert *gossh.Certificate) (proved, error) {
	p := proved{
		key: cert, fingerprint: gossh.FingerprintSHA256(cert.Key),
		certificate: fmt.Sprintf("certificate %q, serial %d", progress.Printable(cert.KeyId), cert.Serial),
	}
	switch {
	case cert.CertType != gossh.UserCert || !s.cfg.Authorities.trust(cert.SignatureKey):
		return p, refuseCert("a certificate of an authority that is not trusted here")
	case cert.Signature.Format == gossh.KeyAlgoRSA:
		return p, refuseCert("its authority signed with SHA-1, which is not safe any more: ssh-keygen -t rsa-sha2-512 -s …")
	case len(cert.ValidPrincipals) == 0:
		return p, refuseCert("a certificate without principals; sign it with ssh-keygen -n NAME")
	}
	if err := people.AcceptableKey(cert.Key); err != nil {
		return p, err
	}
	if err := checkCert(cert); err != nil {
		return p, refuseCert("%w", err)
	}
	if cert.ValidBefore != gossh.CertTimeInfinity {
		p.until = time.Unix(int64(cert.ValidBefore), 0)
	}
	for _, name := range cert.ValidPrincipals {
		switch _, err := s.cfg.Services.People.User(ctx, name); {
		case err == nil:
			p.user = name
			return p, nil
		case !errors.Is(err, core.ErrNotFound):
			return p, err
		}
	}
	return p, core.ErrNotFound
}

// checkCert checks dates, critical options and the signature. Of the
// options, source-address is held to by x/crypto's handshake; force-command
// and those that nobody knows yet are refused, for there is no shell to
// force a command in.
func checkCert(cert *gossh.Certificate) error {
	c := gossh.CertChecker{SupportedCriticalOptions: []string{"source-address"}}
	return c.CheckCert(cert.ValidPrincipals[0], cert)
}

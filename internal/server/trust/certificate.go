package trust

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/people"
)

// The critical options of a certificate that hold here. Another one is refused, with the certificate.
const (
	sourceAddress = "source-address" // x/crypto's handshake holds to it
	forceCommand  = "force-command"  // the server runs it in place of what the client asks for
)

// CertificateError is what the holder of a certificate is told. It says nothing about users.
type CertificateError struct{ error }

func (e *CertificateError) Unwrap() error { return e.error }

func refuse(format string, args ...any) error { return &CertificateError{fmt.Errorf(format, args...)} }

// Names are those for whom a certificate is good, as far as its authority may say so.
type Names struct {
	Principals []string
	Forced     string // the one command that it may run; empty: all
	authority  Authority
}

// Has reports whether name is one of them.
func (n Names) Has(name string) bool { return slices.Contains(n.Principals, name) }

// AllowsFrom reports whether the authority's certificates may be used from an address.
func (n Names) AllowsFrom(addr netip.Addr) bool { return n.authority.AllowsFrom(addr) }

// Names checks a certificate up to its signature, and says for whom it is good. What x/crypto leaves to us: a
// certificate without principals would be good for everyone, and a CA could still sign with SHA-1.
func (t *Trust) Names(cert *gossh.Certificate, now time.Time) (Names, error) {
	a, err := t.authority(cert.SignatureKey)
	if err != nil {
		return Names{}, err
	}
	switch {
	case a == nil || cert.CertType != gossh.UserCert:
		return Names{}, refuse("a certificate of an authority that is not trusted here")
	case cert.Signature.Format == gossh.KeyAlgoRSA:
		return Names{}, refuse("its authority signed with SHA-1, which is not safe any more: ssh-keygen -t rsa-sha2-512 -s …")
	case len(cert.ValidPrincipals) == 0:
		return Names{}, refuse("a certificate without principals; sign it with ssh-keygen -n NAME")
	}
	if err := people.AcceptableKey(cert.Key); err != nil {
		return Names{}, err
	}
	n := Names{authority: *a, Forced: cert.CriticalOptions[forceCommand]}
	if _, forced := cert.CriticalOptions[forceCommand]; forced && n.Forced == "" {
		return Names{}, refuse("its force-command is empty")
	}
	c := gossh.CertChecker{SupportedCriticalOptions: []string{sourceAddress, forceCommand}, Clock: func() time.Time { return now }}
	if err := c.CheckCert(cert.ValidPrincipals[0], cert); err != nil {
		return Names{}, refuse("%w", err)
	}
	for _, p := range cert.ValidPrincipals {
		if a.Principals.Allow(p) && !n.Has(p) {
			n.Principals = append(n.Principals, p)
		}
	}
	if len(n.Principals) == 0 {
		return Names{}, refuse("a certificate for nobody whom its authority may sign for here")
	}
	return n, nil
}

// authority finds the CA with this key; nil: there is none.
func (t *Trust) authority(key gossh.PublicKey) (*Authority, error) {
	list, err := t.authorities.read()
	if err != nil {
		return nil, fmt.Errorf("trusted user CA: %w", err)
	}
	if key == nil {
		return nil, nil
	}
	for _, a := range list {
		if bytes.Equal(a.Key.Marshal(), key.Marshal()) {
			return &a, nil
		}
	}
	return nil, nil
}

// Choose says which user a certificate is of. users are those of its principals that are users, one at least, and asked
// is the name that the client gives itself. It counts only where there are several: people come as nodeos@HOST.
func Choose(users []string, asked string) (string, error) {
	switch {
	case len(users) == 1:
		return users[0], nil
	case slices.Contains(users, asked):
		return asked, nil
	}
	return "", refuse("a certificate of several users; say which one you are: ssh %s@HOST", users[0])
}

// Package trust is what files of the operator say of keys, beside the ledger: which authorities sign certificates, and
// for whom, and which keys and certificates are revoked. They are the files that sshd reads as TrustedUserCAKeys and
// RevokedKeys.
//
// It owns these files' grammar, and the rules by which a certificate stands for a user. It does not own who the users
// are, nor what they may do (people), nor connections (server): that a revoked key ends them is the server's work.
package trust

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// ErrRevoked says that the list of revoked keys names the key, its certificate, or the authority that signed it.
var ErrRevoked = errors.New("the key is revoked")

// UnreadableError says that a file cannot be read now, so nobody is let in by it.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string { return e.Err.Error() }
func (e *UnreadableError) Unwrap() error { return e.Err }

// Trust is what the files say now: each is read again when it has changed. The zero Trust has no authority, and nothing
// is revoked.
type Trust struct {
	authorities file[[]Authority]
	revoked     file[Revocations]
}

// Open reads the files, so that what is wrong in them is said at once. An empty path is no file.
func Open(authorities, revoked string) (*Trust, error) {
	t := &Trust{
		authorities: file[[]Authority]{path: authorities, parse: ParseAuthorities},
		revoked:     file[Revocations]{path: revoked, parse: ParseRevocations},
	}
	_, err := t.Changed()
	return t, err
}

// Certificates reports whether somebody may come with a certificate.
func (t *Trust) Certificates() bool { return t.authorities.path != "" }

// Changed reports whether a file says something else than when Changed was called last, and which cannot be read now.
func (t *Trust) Changed() (bool, error) {
	authorities, err1 := t.authorities.changed()
	if err1 != nil {
		err1 = fmt.Errorf("trusted user CA: %w", err1)
	}
	revoked, err2 := t.revoked.changed()
	if err2 != nil {
		err2 = fmt.Errorf("revoked keys: %w", err2)
	}
	return authorities || revoked, errors.Join(err1, err2)
}

// Revoked says why nobody may log in with a key, whomever it belongs to, or nil. As with sshd, a list that cannot be
// read lets nobody in: *UnreadableError.
func (t *Trust) Revoked(key gossh.PublicKey) error {
	list, err := t.revoked.read()
	if err != nil {
		return fmt.Errorf("revoked keys: %w", err)
	}
	if list.Revoked(key) {
		return ErrRevoked
	}
	return nil
}

// Vouch says why a key does not stand for user now, or nil. Of a key without a certificate, the ledger knows whose it
// is.
func (t *Trust) Vouch(user string, key gossh.PublicKey) error {
	if cert, ok := key.(*gossh.Certificate); ok {
		names, err := t.Names(cert, time.Now())
		if err != nil {
			return err
		}
		if !names.Has(user) {
			return core.ErrNotFound
		}
	}
	return t.Revoked(key)
}

// VouchText is Vouch for a key or certificate in the form of authorized_keys, as people.Service wants it: what does not
// stand for user is core.ErrNotFound.
func (t *Trust) VouchText(user, public string) error {
	key, _, _, _, err := gossh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		return fmt.Errorf("the key of %s: %w", user, err)
	}
	if err = t.Vouch(user, key); err != nil && !unreadable(err) {
		return fmt.Errorf("%w: %w", core.ErrNotFound, err)
	}
	return err
}

func unreadable(err error) bool {
	_, ok := errors.AsType[*UnreadableError](err)
	return ok
}

// Authority is a CA, and for whom its certificates are good.
type Authority struct {
	Key        gossh.PublicKey
	Principals Patterns
	from       people.Key // its From
}

// AllowsFrom reports whether its certificates may be used from an address.
func (a Authority) AllowsFrom(addr netip.Addr) bool { return a.from.AllowsFrom(addr) }

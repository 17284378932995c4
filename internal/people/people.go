package people

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

var (
	// ErrNotAdmin: the one who asks may not do it.
	ErrNotAdmin = errors.New("only an administrator may do this")
	// ErrLastAdmin: after this nobody could let anyone in over SSH.
	ErrLastAdmin = errors.New("that would leave no administrator who can log in")
	// ErrKeyTaken: the key belongs to someone else.
	ErrKeyTaken = errors.New("a key has one owner")
	// ErrNameTaken: there is a user of that name.
	ErrNameTaken = errors.New("the name is taken")
	// ErrVoid: an invitation that was used, has expired or never was.
	ErrVoid = errors.New("the code is void")
)

// User is a person, or a machine, that may log in.
type User struct {
	Name   string
	Admin  bool // may do everything, on every app
	Added  time.Time
	Grants []Grant // sorted by app
}

// Grant gives a user a role on one app, which need not exist yet: the first
// push then makes it.
type Grant struct {
	User string
	App  string
	Role core.Role
}

// Key is a public key that may log in.
type Key struct {
	Name        string     // whose it is
	Fingerprint string     // "SHA256:…", as ssh-keygen -l prints it
	Public      string     // authorized_keys form, without options and comment
	Limit       core.Limit // a deploy key's; zero: the key may do what its owner may
	From        string     // the addresses it may be used from, as from= of authorized_keys; empty: all
	Added       time.Time
	Expires     time.Time // zero: never
	LastUsed    time.Time // zero: never
	LastFrom    string    // address of the client then, without its port
}

// Expired reports whether the key no longer lets anyone in.
func (k Key) Expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// Actor is what u may do with key k.
func (u User) Actor(k Key) core.Actor {
	a := core.Actor{Name: u.Name, Key: k.Fingerprint, Limit: k.Limit}
	if k.Limit != (core.Limit{}) {
		return a
	}
	a.Admin, a.Grants = u.Admin, map[string]core.Role{}
	for _, g := range u.Grants {
		a.Grants[g.App] = g.Role
	}
	return a
}

var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// CheckUserName reports why name cannot be a user's name, or nil.
func CheckUserName(name string) error {
	if !userName.MatchString(name) {
		return fmt.Errorf("invalid name %q: use up to 64 letters, digits and . _ @ -, starting with a letter or digit", name)
	}
	switch name {
	case "host", "gitd":
		return fmt.Errorf("the name %q stands for gitd itself in the audit; choose another", name)
	}
	return nil
}

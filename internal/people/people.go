package people

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"gitd/internal/core"
)

var (
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
	Admin  bool // may everything, on every app
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
	Limit       core.Limit // a deploy key's; zero: the key may what its owner may
	Added       time.Time
	Expires     time.Time // zero: never
	LastUsed    time.Time // zero: never
	LastFrom    string    // address of the client then, without its port
}

// Expired reports whether the key no longer lets anyone in.
func (k Key) Expired(now time.Time) bool { return !k.Expires.IsZero() && !now.Before(k.Expires) }

// Actor is what u may with key k.
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

// People is the ledger's store of users, their keys and roles. Each method is
// one transaction. Look-ups of what is not there return ErrNotFound.
type Store interface {
	// Users are sorted by name.
	Users(ctx context.Context) ([]User, error)
	User(ctx context.Context, name string) (User, error)
	// AddUser stores a user without a key: one whom a certificate names.
	// ErrNameTaken: there is one.
	AddUser(ctx context.Context, name string, admin bool) error
	// SetAdmin makes someone an administrator or takes that away.
	SetAdmin(ctx context.Context, name string, admin bool) error
	// RenameUser keeps keys and roles. ErrNameTaken: to is someone else.
	RenameUser(ctx context.Context, from, to string) error
	// RemoveUser removes the keys, roles and open invitations too.
	// ErrLastAdmin: nobody could undo it over SSH.
	RemoveUser(ctx context.Context, name string) error
	// Grant gives a role in place of the one before.
	Grant(ctx context.Context, g Grant) error
	Revoke(ctx context.Context, user, app string) error

	// AddKey stores k, and its owner where there is none yet. admin makes the
	// owner an administrator; false takes nothing away. The same key under
	// the same name is updated; under another name it is ErrKeyTaken.
	AddKey(ctx context.Context, k Key, admin bool) error
	// Keys are sorted by name, then by when they were added.
	Keys(ctx context.Context) ([]Key, error)
	Key(ctx context.Context, fingerprint string) (Key, error)
	// KeyUsed finds who the key with this fingerprint is and notes the time
	// and from where. An expired key is ErrNotFound.
	KeyUsed(ctx context.Context, fingerprint, from string) (core.Actor, error)
	// RemoveKey removes a key. ErrLastAdmin: it is the last that an
	// administrator can log in with.
	RemoveKey(ctx context.Context, fingerprint string) error

	// Invite stores an invitation, in place of an open one for the same name.
	Invite(ctx context.Context, i Invitation) error
	// Invitations are the open ones; those that have expired are not.
	Invitations(ctx context.Context) ([]Invitation, error)
	// Redeem uses up the invitation with this hash and registers k under the
	// invitation's name, or under k's own if it names nobody. ErrVoid: it is
	// not open, or it is a claim and there is a key by now.
	Redeem(ctx context.Context, hash string, k Key) (Invitation, error)
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

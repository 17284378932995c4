package people

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Directory says who may log in, and what they may do. Look-ups of what is
// not there return core.ErrNotFound.
type Directory interface {
	// Users are sorted by name.
	Users(ctx context.Context) ([]User, error)
	User(ctx context.Context, name string) (User, error)
	// Keys are sorted by name, then by when they were added.
	Keys(ctx context.Context) ([]Key, error)
	Key(ctx context.Context, fingerprint string) (Key, error)
	// KeyUsed finds who the key with this fingerprint is and notes the time
	// and from where. An expired key is core.ErrNotFound.
	KeyUsed(ctx context.Context, fingerprint, from string) (core.Actor, error)
	// Invitations are the open ones; those that have expired are not.
	Invitations(ctx context.Context) ([]Invitation, error)
}

// Store is the ledger's store of users, their keys, roles and invitations.
// Each method is one transaction. A change and its entry in the audit are
// stored together, or neither is.
type Store interface {
	Directory

	// AddUser stores a user without a key: one whom a certificate names.
	// ErrNameTaken: there is one.
	AddUser(ctx context.Context, name string, admin bool, e core.Entry) error
	// SetAdmin makes someone an administrator or takes that away.
	SetAdmin(ctx context.Context, name string, admin bool, e core.Entry) error
	// RenameUser keeps keys and roles. ErrNameTaken: to is someone else.
	RenameUser(ctx context.Context, from, to string, e core.Entry) error
	// RemoveUser removes the keys, roles and open invitations too.
	// ErrLastAdmin: nobody could undo it over SSH.
	RemoveUser(ctx context.Context, name string, e core.Entry) error
	// Grant gives a role in place of the one before.
	Grant(ctx context.Context, g Grant, e core.Entry) error
	Revoke(ctx context.Context, user, app string, e core.Entry) error

	// AddKey stores k, and its owner where there is none yet. admin makes the
	// owner an administrator; false takes nothing away. The same key under
	// the same name is updated; under another name it is ErrKeyTaken. entry
	// is asked for the audit's entry with the owner as they are then.
	AddKey(ctx context.Context, k Key, admin bool, entry func(owner User) core.Entry) error
	// RemoveKey removes a key. ErrLastAdmin: it is the last that an
	// administrator can log in with.
	RemoveKey(ctx context.Context, fingerprint string, e core.Entry) error

	// Invite stores an invitation, in place of an open one for the same name.
	Invite(ctx context.Context, i Invitation, e core.Entry) error
	// Redeem uses up the invitation with this hash and registers k under the
	// invitation's name, or under k's own if it names nobody. ErrVoid: it is
	// not open, or it is a claim and there is a key by now. entry is asked
	// for the audit's entry with the invitation as it was redeemed.
	Redeem(ctx context.Context, hash string, k Key, entry func(i Invitation) core.Entry) (Invitation, error)
}

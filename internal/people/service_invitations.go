package people

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
)

// VisibleInvitations are the open invitations that by may know of: an
// administrator all of them, but the claim, which is for nobody in
// particular.
func (s *Service) VisibleInvitations(ctx context.Context, by core.Actor) ([]Invitation, error) {
	if !by.Admin {
		return nil, nil
	}
	open, err := s.Invitations(ctx)
	var visible []Invitation
	for _, i := range open {
		if !i.Claim() {
			visible = append(visible, i)
		}
	}
	return visible, err
}

// Invite opens an invitation, in place of an open one for the same name, and
// returns it with its code. Of i it takes the name, the rights and the end.
func (s *Service) Invite(ctx context.Context, by core.Actor, i Invitation) (code string, _ Invitation, err error) {
	if err := requireAdmin(by); err != nil {
		return "", i, err
	}
	if err := CheckUserName(i.Name); err != nil {
		return "", i, err
	}
	if !i.Expires.After(time.Now()) {
		return "", i, errors.New("an invitation needs an end that is still to come")
	}
	i.By = by.Name
	return s.invite(ctx, i, entry(by.Name, i.App, "user.invite", "%s (%s)", i.Name, i.Rights()))
}

// InviteFirst opens the claim: its code makes whoever comes with it first an
// administrator. A claim of before is void with that, and so is this one as
// soon as anyone has a key.
func (s *Service) InviteFirst(ctx context.Context, life time.Duration) (code string, _ Invitation, err error) {
	i := Invitation{Admin: true, By: gitdName, Expires: time.Now().Add(life)}
	return s.invite(ctx, i, entry(gitdName, "", "user.invite", "whoever comes first (%s)", i.Rights()))
}

func (s *Service) invite(ctx context.Context, i Invitation, e core.Entry) (code string, _ Invitation, err error) {
	code = NewCode()
	i.Hash, i.Created = HashCode(code), time.Now()
	if err := s.change(ctx, func() error { return s.store.Invite(ctx, i, e) }); err != nil {
		return "", i, err
	}
	return code, i, nil
}

// HasKeys reports whether anyone has a key to log in with.
func (s *Service) HasKeys(ctx context.Context) (bool, error) {
	keys, err := s.Keys(ctx)
	return len(keys) > 0, err
}

// Redeem registers key for whoever the invitation with this hash is for, and
// uses it up. name is how the one who claims wants to be called; another
// invitation has a name. ErrVoid: it is not open any more. ErrKeyTaken: the
// key is someone else's.
func (s *Service) Redeem(ctx context.Context, hash, name string, key ssh.PublicKey) (Invitation, error) {
	if err := CheckUserName(name); err != nil {
		return Invitation{}, err
	}
	k, err := NewKey(name, key)
	if err != nil {
		return Invitation{}, err
	}
	var i Invitation
	err = s.change(ctx, func() error {
		i, err = s.store.Redeem(ctx, hash, k, func(i Invitation) core.Entry {
			action := "user.join"
			if i.By == gitdName {
				action = "user.claim"
			}
			return entry(i.Name, i.App, action, "%s (%s) %s, invited by %s", i.Name, i.Rights(), k.Fingerprint, i.By)
		})
		return err
	})
	return i, err
}

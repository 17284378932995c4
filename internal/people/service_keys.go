package people

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// OwnedKey is a key, and whether its owner is an administrator.
type OwnedKey struct {
	Key
	OwnerAdmin bool
}

// Role is what the key opens, in a word or two.
func (k OwnedKey) Role() string {
	switch {
	case k.Limit != core.Limit{}:
		return k.Limit.Role.String() + " on " + k.Limit.App
	case k.OwnerAdmin:
		return "admin"
	default:
		return "user"
	}
}

// Until is the key's end in words, with a space before them; empty: none.
func (k Key) Until() string {
	if k.Expires.IsZero() {
		return ""
	}
	return " until " + k.Expires.UTC().Format(time.RFC3339)
}

// mayKnow reports whether by may know of k: an administrator of every key,
// everyone else of their own, and a deploy key of itself.
func mayKnow(by core.Actor, k Key) bool {
	return by.Admin || k.Name == by.Name && (by.Limit == core.Limit{} || k.Fingerprint == by.Key)
}

// VisibleKeys are the keys that by may know of.
func (s *Service) VisibleKeys(ctx context.Context, by core.Actor) ([]OwnedKey, error) {
	all, err := s.Keys(ctx)
	if err != nil {
		return nil, err
	}
	users, err := s.Users(ctx)
	if err != nil {
		return nil, err
	}
	admins := map[string]bool{}
	for _, u := range users {
		admins[u.Name] = u.Admin
	}
	var visible []OwnedKey
	for _, k := range all {
		if mayKnow(by, k) {
			visible = append(visible, OwnedKey{k, admins[k.Name]})
		}
	}
	return visible, nil
}

// MayAddKey says why by may not add a key for name, or nil: an administrator
// adds any key; everyone else adds plain ones of their own, without a limit
// and without an administrator's rights.
func MayAddKey(by core.Actor, name string, plain bool) error {
	if by.Admin || name == by.Name && plain && by.Limit == (core.Limit{}) {
		return nil
	}
	return ErrNotAdmin
}

// AddKey lets k log in, and returns it as it was stored. Its owner is added
// where there is none yet; admin makes them an administrator.
func (s *Service) AddKey(ctx context.Context, by core.Actor, k Key, admin bool) (OwnedKey, error) {
	if err := MayAddKey(by, k.Name, !admin && k.Limit == core.Limit{}); err != nil {
		return OwnedKey{}, err
	}
	if err := s.boundExpiry(ctx, by, &k); err != nil {
		return OwnedKey{}, err
	}
	added := OwnedKey{Key: k}
	err := s.change(ctx, func() error {
		return s.store.AddKey(ctx, k, admin, func(owner User) core.Entry {
			added.OwnerAdmin = owner.Admin
			return entry(by.Name, k.Limit.App, "key.add", "%s (%s) %s%s", k.Name, added.Role(), k.Fingerprint, k.Until())
		})
	})
	return added, err
}

// boundExpiry lets a key that someone adds for themselves end no later than
// the one it was added with: an expiry could be shaken off otherwise.
func (s *Service) boundExpiry(ctx context.Context, by core.Actor, k *Key) error {
	if by.Admin || by.Key == "" {
		return nil
	}
	with, err := s.Key(ctx, by.Key)
	if errors.Is(err, core.ErrNotFound) {
		return errors.New("you came with a certificate; your keys are added by an administrator")
	}
	if err == nil && !with.Expires.IsZero() && (k.Expires.IsZero() || k.Expires.After(with.Expires)) {
		k.Expires = with.Expires
	}
	return err
}

// RemoveKey ends a key. core.ErrNotFound: there is none that by may know of.
// ErrLastAdmin: it is the last that an administrator can log in with.
func (s *Service) RemoveKey(ctx context.Context, by core.Actor, fingerprint string) error {
	k, err := s.Key(ctx, fingerprint)
	if err == nil && !mayKnow(by, k) {
		err = fmt.Errorf("key %q: %w", fingerprint, core.ErrNotFound)
	}
	if err != nil {
		return err
	}
	e := entry(by.Name, k.Limit.App, "key.remove", "%s %s", k.Name, k.Fingerprint)
	return s.change(ctx, func() error { return s.store.RemoveKey(ctx, k.Fingerprint, e) })
}

// RegisterAdmins lets the keys of the first administrators in: lines of an
// authorized_keys file, in which a key's comment is its owner's name. A key
// that is there as it would be added is left alone.
func (s *Service) RegisterAdmins(ctx context.Context, lines string) error {
	n := 0
	for line := range strings.SplitSeq(lines, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		name := fmt.Sprintf("admin%d", n)
		if f := strings.Fields(line); len(f) > 2 {
			name = f[len(f)-1]
		}
		if err := s.registerAdmin(ctx, name, line); err != nil {
			return fmt.Errorf("key %d: %w", n, err)
		}
	}
	return nil
}

func (s *Service) registerAdmin(ctx context.Context, name, line string) error {
	k, err := ParseKey(name, line)
	if err != nil {
		return err
	}
	if known, err := s.isAdminKey(ctx, k); err != nil || known {
		return err
	}
	_, err = s.AddKey(ctx, core.Actor{Name: gitdName, Admin: true}, k, true)
	return err
}

// isAdminKey reports whether k is registered with all of an administrator's
// rights.
func (s *Service) isAdminKey(ctx context.Context, k Key) (bool, error) {
	have, err := s.Key(ctx, k.Fingerprint)
	if errors.Is(err, core.ErrNotFound) {
		return false, nil
	}
	if err != nil || have.Name != k.Name || have.Public != k.Public || have.Limit != k.Limit || !have.Expires.IsZero() {
		return false, err
	}
	owner, err := s.User(ctx, k.Name)
	return owner.Admin, err
}

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

// Until is the key's end, and from where it may be used, in words, with a space before them; empty: no limit.
func (k Key) Until() string {
	words := ""
	if !k.Expires.IsZero() {
		words = " until " + k.Expires.UTC().Format(time.RFC3339)
	}
	if k.From != "" {
		words += " from " + k.From
	}
	return words
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
	if err := s.bound(ctx, by, &k); err != nil {
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

// bound lets a key that someone adds for themselves end no later than the one it was added with, and be used from no
// other addresses: the limits could be shaken off otherwise.
func (s *Service) bound(ctx context.Context, by core.Actor, k *Key) error {
	if by.Admin || by.Key == "" {
		return nil
	}
	with, err := s.Key(ctx, by.Key)
	if errors.Is(err, core.ErrNotFound) {
		return errors.New("you came with a certificate; your keys are added by an administrator")
	}
	if err != nil {
		return err
	}
	if !with.Expires.IsZero() && (k.Expires.IsZero() || k.Expires.After(with.Expires)) {
		k.Expires = with.Expires
	}
	if with.From != "" {
		k.From = with.From
	}
	return nil
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
// authorized_keys file, in which a key's comment is its owner's name. Once an
// administrator can log in it changes nothing: a key that was removed since
// would be back. It returns how many of the keys are no administrator's then.
func (s *Service) RegisterAdmins(ctx context.Context, lines string) (ignored int, err error) {
	begun, err := s.hasAdmin(ctx)
	if err != nil {
		return 0, err
	}
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
		known, err := s.registerAdmin(ctx, name, line, !begun)
		if err != nil {
			return 0, fmt.Errorf("key %d: %w", n, err)
		}
		if !known {
			ignored++
		}
	}
	return ignored, nil
}

// hasAdmin reports whether an administrator can log in with a key.
func (s *Service) hasAdmin(ctx context.Context) (bool, error) {
	keys, err := s.VisibleKeys(ctx, core.Host())
	for _, k := range keys {
		if k.OwnerAdmin && k.Limit == (core.Limit{}) && !k.Expired(time.Now()) {
			return true, nil
		}
	}
	return false, err
}

// registerAdmin adds a key if may says so, and reports whether it is an administrator's then.
func (s *Service) registerAdmin(ctx context.Context, name, line string, may bool) (known bool, err error) {
	k, err := ParseKey(name, line)
	if err != nil {
		return false, err
	}
	if known, err := s.isAdminKey(ctx, k); err != nil || known || !may {
		return known, err
	}
	_, err = s.AddKey(ctx, core.Actor{Name: gitdName, Admin: true}, k, true)
	return true, err
}

// isAdminKey reports whether k is registered with all of an administrator's
// rights.
func (s *Service) isAdminKey(ctx context.Context, k Key) (bool, error) {
	have, err := s.Key(ctx, k.Fingerprint)
	if errors.Is(err, core.ErrNotFound) {
		return false, nil
	}
	if err != nil || have.Name != k.Name || have.Limit != (core.Limit{}) || have.Expired(time.Now()) {
		return false, err
	}
	owner, err := s.User(ctx, k.Name)
	return owner.Admin, err
}

package people

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Still says why by, who began something on app earlier, may do less there now; nil: they may do as much. Without an
// app it is about what an administrator may do. The host has no key and needs none.
func (s *Service) Still(ctx context.Context, by core.Actor, app string) error {
	if by.Key == "" {
		return nil
	}
	now, err := actorNow(ctx, s, by)
	if errors.Is(err, core.ErrNotFound) || err == nil && now.Role(app) < by.Role(app) {
		return core.Reject(strings.TrimSuffix(by.Name+" may not do this on "+app, " on ")+" any more: the key or the role was taken meanwhile", "")
	}
	return err
}

// actorNow finds who by is at this moment. core.ErrNotFound: nobody any more. The key of a certificate is none that is
// registered: its user is who counts, and whoever vouches for certificates.
func actorNow(ctx context.Context, s *Service, by core.Actor) (core.Actor, error) {
	k := Key{Name: by.Name, Fingerprint: by.Key, Limit: by.Limit, Public: by.Certificate}
	if by.Certificate == "" {
		var err error
		if k, err = s.Key(ctx, by.Key); err != nil {
			return core.Actor{}, err
		}
		if k.Expired(time.Now()) {
			return core.Actor{}, core.ErrNotFound
		}
	}
	if s.Vouch != nil {
		if err := s.Vouch(k.Name, k.Public); err != nil {
			return core.Actor{}, err
		}
	}
	u, err := s.User(ctx, k.Name)
	return u.Actor(k), err
}

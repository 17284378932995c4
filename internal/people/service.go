package people

import (
	"context"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// gitdName is who the audit says it was when gitd itself lets someone in.
const gitdName = "gitd"

// Service answers who may do what, and changes it: the one way in which
// rights come and go. A change is checked against the rights of the one who
// asks for it, stored together with its entry in the audit, and then the
// doors are told, so that sessions end with the rights they began with.
//
// Most changes return what the audit says of them, as an answer to whoever
// asked.
type Service struct {
	Directory
	// Vouch says why a key or certificate, in the form of authorized_keys, does not stand for a user now, although it
	// is registered, or did; core.ErrNotFound: it was taken. nil: nobody says so. It is set before any use.
	Vouch    func(user, public string) error
	store    Store
	onChange []func(ctx context.Context)
}

// NewService makes the service on a store.
func NewService(store Store) *Service { return &Service{Directory: store, store: store} }

// OnChange has look called after each change, before the one who asked for it
// is answered. ctx is that of the change. OnChange itself must not be called
// once changes may be made: a door calls it when it is made.
func (s *Service) OnChange(look func(ctx context.Context)) { s.onChange = append(s.onChange, look) }

// change stores a change and tells the doors. They look even when it has
// failed: that a commit fails does not prove that nothing was stored.
func (s *Service) change(ctx context.Context, store func() error) error {
	defer func() {
		for _, look := range s.onChange {
			look(ctx)
		}
	}()
	return store()
}

// changeWith is a change of which all that the audit says is known before.
func (s *Service) changeWith(ctx context.Context, e core.Entry, store func(e core.Entry) error) (said string, err error) {
	if err := s.change(ctx, func() error { return store(e) }); err != nil {
		return "", err
	}
	return e.Detail, nil
}

func entry(by, app, action, format string, args ...any) core.Entry {
	return core.Entry{Time: time.Now(), App: app, Actor: by, Action: action, Detail: fmt.Sprintf(format, args...)}
}

// requireAdmin is the policy for every change but that of one's own keys.
func requireAdmin(by core.Actor) error {
	if !by.Admin {
		return ErrNotAdmin
	}
	return nil
}

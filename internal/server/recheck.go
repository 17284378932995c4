package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/server/trust"
)

// recheckLimit bounds the look at the ledger for all connections.
const recheckLimit = 10 * time.Second

// keep adds l to the connections that are logged in.
func (s *Server) keep(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[l] = true
}

func (s *Server) forget(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.links, l)
}

// loggedIn are the connections that are logged in.
func (s *Server) loggedIn() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.links))
}

// Recheck ends the connections of those who may no longer do what their
// sessions began with: a key or a user was removed, a role was taken. A
// deployment that one of them started belongs to the core and goes on.
//
// ctx is that of the command that changed something. Its own connection ends a moment after it, unless the client has
// left by then: the answer arrives, and so does the client's goodbye. OpenSSH calls it an error if that meets a closed
// connection, and exits with 255. The context of a command always ends, whether or not the answer can be written, and
// what begins meanwhile on the connection is looked up by itself.
func (s *Server) Recheck(ctx context.Context) {
	const why = "its key or role was taken"
	own, _ := ctx.Value(linkKey{}).(*link)
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), recheckLimit)
	defer cancel()
	for _, l := range s.loggedIn() {
		switch {
		case !s.lost(look, l):
		case l == own:
			context.AfterFunc(ctx, func() { time.AfterFunc(farewell, func() { l.end(why) }) })
		default:
			l.end(why)
		}
	}
}

// lost reports whether whoever is at the other end of l may do less now than
// when their newest session began. What cannot be looked up is lost too.
func (s *Server) lost(ctx context.Context, l *link) bool {
	p, was := l.identity()
	if p.code != "" {
		return false // it can do nothing but redeem its code
	}
	is, err := s.lookUp(ctx, p)
	if unreadable, ok := errors.AsType[*trust.UnreadableError](err); ok {
		// A file that is being written may look like this. It lets nobody in, and takes nothing that it has not named.
		s.cfg.Log.Debug().Err(unreadable).Msg("whether a key is revoked is not known")
		err = nil
	}
	return err != nil || was.Name != "" && !is.Covers(was)
}

// watchEvery is how often the operator's files are looked at: a key that they revoke has no session for longer.
const watchEvery = 2 * time.Second

// watchFiles ends the connections of keys that a file no longer lets in, until ctx ends.
func (s *Server) watchFiles(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := s.cfg.Trust.Changed()
		if !changed {
			continue
		}
		if err != nil {
			s.cfg.Log.Error().Err(err).Msg("a file that says who may log in cannot be read: nobody who depends on it is let in")
		} else {
			s.cfg.Log.Info().Msg("the files that say who may log in have changed")
		}
		s.Recheck(ctx)
	}
}

// gone reports whether err says that a key opens nothing any more.
func gone(err error) bool {
	_, certificate := errors.AsType[*trust.CertificateError](err)
	return certificate || errors.Is(err, core.ErrNotFound) || errors.Is(err, trust.ErrRevoked)
}

package server

import (
	"context"
	"maps"
	"slices"
	"time"
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
// ctx is that of the command that changed something. Its own connection ends
// with it, so that its answer arrives; the context of a command always ends,
// whether or not the answer can be written.
func (s *Server) Recheck(ctx context.Context) {
	const why = "its key or role was taken"
	own, _ := ctx.Value(linkKey{}).(*link)
	look, cancel := context.WithTimeout(context.WithoutCancel(ctx), recheckLimit)
	defer cancel()
	for _, l := range s.loggedIn() {
		switch {
		case !s.lost(look, l):
		case l == own:
			context.AfterFunc(ctx, func() { l.end(why) })
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
	return err != nil || was.Name != "" && !is.Covers(was)
}

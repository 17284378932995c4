package server

import (
	"context"
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

// Recheck ends the connections of those who may no longer what their
// sessions began with: a key or a user was removed, a role was taken. A
// deployment that one of them started belongs to the core and goes on.
func (s *Server) Recheck() {
	ctx, cancel := context.WithTimeout(context.Background(), recheckLimit)
	defer cancel()
	s.mu.Lock()
	links := make([]*link, 0, len(s.links))
	for l := range s.links {
		links = append(links, l)
	}
	s.mu.Unlock()
	for _, l := range links {
		p, was := l.who()
		if p.code != "" {
			continue // it can do nothing but redeem its code
		}
		is, err := s.lookUp(ctx, p)
		if err != nil || was.Name != "" && !is.Covers(was) {
			l.end("its key or role was taken")
		}
	}
}

package proxy

import (
	"net/http"
	"time"
)

// stallLimit ends a connection on which one piece of a body does not get through for so long, in either direction: a
// client that reads nothing of its answer, or sends nothing of its upload. nginx waits as long. Pauses of the app are
// not counted: an event stream may be silent for any time.
const stallLimit = time.Minute

// Write implements net.Conn.
func (g *guest) Write(p []byte) (int, error) {
	limit := time.Now().Add(g.crowd.stall)
	g.mu.Lock()
	if g.deadline.IsZero() || limit.Before(g.deadline) {
		g.Conn.SetWriteDeadline(limit) //nolint:errcheck // the write fails on a closed connection
	}
	g.mu.Unlock()
	return g.Conn.Write(p)
}

// SetWriteDeadline implements net.Conn.
func (g *guest) SetWriteDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	return g.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (g *guest) SetDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	return g.Conn.SetDeadline(t)
}

// expect gives the client a new time for the next piece of its body; ended says that there is none.
func (p *reply) expect(ended bool) {
	limit := time.Time{}
	if !ended {
		limit = time.Now().Add(p.stall)
	}
	p.reading.Lock()
	defer p.reading.Unlock()
	if !p.interrupted {
		http.NewResponseController(p.ResponseWriter).SetReadDeadline(limit) //nolint:errcheck // a closed connection has ended too
	}
}

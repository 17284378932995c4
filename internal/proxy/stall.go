package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// stallLimit ends a connection on which one piece of a body does not get through for so long, in either direction: a
// client that reads nothing of its answer, or sends nothing of its upload. nginx waits as long. Pauses of the app are
// not counted: an event stream may be silent for any time.
const stallLimit = time.Minute

// Write implements net.Conn.
func (g *guest) Write(p []byte) (int, error) {
	g.renew()
	return g.Conn.Write(p)
}

// renew sees to it that what is written now may take as long as the limit, and no longer than half of it more. So most
// writes cost no new deadline. It returns the deadline.
func (g *guest) renew() time.Time {
	now, limit := time.Now(), g.crowd.stall
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.deadline.IsZero() && g.deadline.Before(now.Add(limit)) {
		return g.deadline // somebody has set it, and it is nearer
	}
	if g.renewed.Before(now.Add(limit)) {
		g.renewed = now.Add(limit + limit/2)
		g.Conn.SetWriteDeadline(g.renewed) //nolint:errcheck // the write fails on a closed connection
	}
	return g.renewed
}

// These are how many bytes of what the kernel carries on must get through within the limit: the larger ones, where the
// last got through at once.
const (
	piece      = 64 << 10
	largePiece = 512 << 10
)

// ReadFrom implements io.ReaderFrom: from a connection to a machine, the kernel carries bytes on without a copy.
func (g *guest) ReadFrom(r io.Reader) (n int64, err error) {
	to, can := g.Conn.(io.ReaderFrom)
	from, limited := r.(*io.LimitedReader)
	if !can || !limited {
		return io.Copy(struct{ io.Writer }{g}, r)
	}
	machine, is := from.R.(net.Conn)
	if !is {
		return io.Copy(struct{ io.Writer }{g}, r)
	}
	defer machine.SetReadDeadline(time.Time{}) //nolint:errcheck // a closed connection needs none
	size, goesOn := int64(piece), true
	for goesOn && from.N > 0 {
		begun := time.Now()
		var m int64
		m, goesOn, err = g.carry(to, machine, min(from.N, size))
		n, from.N = n+m, from.N-m
		if size = piece; time.Since(begun) < g.crowd.stall/128 {
			size = largePiece
		}
	}
	return n, err
}

// carry carries up to most bytes on, and reports whether there may be more. Pauses of the machine do not count: each
// begins anew long before the client's time is over.
func (g *guest) carry(to io.ReaderFrom, machine net.Conn, most int64) (n int64, goesOn bool, err error) {
	limit := g.renew()
	machine.SetReadDeadline(time.Now().Add(g.crowd.stall / 4)) //nolint:errcheck // the read fails on a closed connection
	n, err = to.ReadFrom(&io.LimitedReader{R: machine, N: most})
	if errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(limit) {
		return n, true, nil
	}
	return n, err == nil && n == most, err
}

// SetWriteDeadline implements net.Conn.
func (g *guest) SetWriteDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline, g.renewed = t, time.Time{}
	return g.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (g *guest) SetDeadline(t time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline, g.renewed = t, time.Time{}
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

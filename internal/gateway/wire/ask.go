package wire

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Ask is what a machine's network asks gitd for: a connection to an app to which the machine's app is linked. gitd
// brings it to the door of the machine that it knows as this one (port.DialAsked), so that nobody has to say who they
// are, and checks the link again.
type Ask struct {
	N    uint32 `json:"n"`    // of this question
	Link int64  `json:"link"` // core.LinkEnd's ID
	Port int    `json:"port"` // as the guest has it
}

// no is gitd's answer to an Ask that it does not fulfil.
type no struct {
	N   uint32 `json:"n"`
	Why string `json:"why"` // to be read after the name
}

// Asks are the questions of one machine's network that wait for gitd.
type Asks struct {
	wake chan struct{}

	mu      sync.Mutex
	last    uint32
	waiting map[uint32]*asked
}

type asked struct {
	Ask

	said bool // to the gitd that is there now
	done chan struct{}
	conn net.Conn // set before done is closed
	why  string   // … if there is no conn
}

// NewAsks makes an empty set.
func NewAsks() *Asks { return &Asks{wake: make(chan struct{}, 1), waiting: map[uint32]*asked{}} }

// ErrNo is gitd's reason for no connection.
type ErrNo struct{ Why string }

func (e ErrNo) Error() string { return e.Why }

// Get asks for a connection, and waits until gitd brings it, says no (ErrNo), or ctx ends. While no gitd is there, it
// waits for the next one.
func (a *Asks) Get(ctx context.Context, link int64, port int) (net.Conn, error) {
	q := a.add(link, port)
	select {
	case <-q.done:
	case <-ctx.Done():
	}
	a.mu.Lock()
	delete(a.waiting, q.N)
	a.mu.Unlock()
	switch {
	case q.conn != nil && ctx.Err() != nil:
		q.conn.Close()
		return nil, ctx.Err()
	case q.conn != nil:
		return q.conn, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, ErrNo{q.why}
}

func (a *Asks) add(link int64, port int) *asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	q := &asked{Ask: Ask{a.last, link, port}, done: make(chan struct{})}
	a.waiting[q.N] = q
	a.ring()
	return q
}

func (a *Asks) ring() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// errNotAsked is that nobody waits for a connection any more.
var errNotAsked = errors.New("nobody asked for this connection")

// Bring gives a connection to whoever waits for it.
func (a *Asks) Bring(n uint32, conn net.Conn) error { return a.answer(n, conn, "") }

func (a *Asks) answer(n uint32, conn net.Conn, why string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.waiting[n]
	if q == nil {
		return errNotAsked
	}
	delete(a.waiting, n)
	q.conn, q.why = conn, why
	close(q.done)
	return nil
}

// again has everything said once more: another gitd is there.
func (a *Asks) again() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.waiting {
		q.said = false
	}
	a.ring()
}

// unsaid returns what gitd has not heard yet.
func (a *Asks) unsaid() (list []Ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.waiting {
		if !q.said {
			q.said = true
			list = append(list, q.Ask)
		}
	}
	return list
}

package proxy

import (
	"context"
	"net/http"
	"sync/atomic"
)

// departure is how a front door makes room for that of another gitd, and comes after that of one.
type departure struct {
	crowd  *crowd
	before <-chan struct{} // closed when the gitd before has ended; nil: there is none
	drains atomic.Int32    // that run
}

// Leave waits until this front door has no connection any more, or until ctx ends, and returns how many are left. The
// caller has seen to it that none is accepted any more. Each connection ends with its next answer, and says so in that:
// to close one between two requests could lose the second. Those of HTTP/2 are told to take no new request.
func (d *departure) Leave(ctx context.Context) (left int) {
	none := d.crowd.depart()
	select {
	case <-none:
	case <-ctx.Done():
	}
	return d.crowd.count()
}

func (c *crowd) depart() (none <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.none == nil {
		c.none = make(chan struct{})
		c.leaves.Store(true)
		c.noted()
	}
	return c.none
}

// noted closes none if no connection is left; c.mu is held.
func (c *crowd) noted() {
	if c.none == nil || c.conns > 0 {
		return
	}
	select {
	case <-c.none: // closed before one came that had been accepted late
	default:
		close(c.none)
	}
}

func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns
}

// lastAnswer makes an answer the last of its connection, if the front door leaves.
func (c *crowd) lastAnswer(h http.Header, status int) {
	if c.leaves.Load() && status >= 200 {
		h.Set("Connection", "close")
	}
}

// counted counts drain while it runs, and makes it wait until the gitd before this one has ended too: that one may
// still have requests on the machines that it knew, and does not learn that an app has moved.
func (d *departure) counted(drain func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		d.drains.Add(1)
		defer d.drains.Add(-1)
		if d.before != nil {
			select {
			case <-d.before:
			case <-ctx.Done():
			}
		}
		drain(ctx)
	}
}

// Draining is how many times somebody waits for the requests on machines that were replaced.
func (d *departure) Draining() int { return int(d.drains.Load()) }

package turns

import (
	"context"
	"sync"
)

// Drains counts the machines of an app that were replaced and still run. The zero value is ready to use.
type Drains struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n becomes 0 again; nil while n is 0
}

// Add notes a machine that was replaced, and Done its end.
func (d *Drains) Add() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		d.none = make(chan struct{})
	}
	d.n++
}

// Done ends what Add began.
func (d *Drains) Done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n--; d.n == 0 {
		close(d.none)
		d.none = nil
	}
}

// Wait returns when no replaced machine of the app runs any more, or with the reason why ctx ended. It calls told if
// there is anything to wait for.
func (d *Drains) Wait(ctx context.Context, told func()) error {
	d.mu.Lock()
	none := d.none
	d.mu.Unlock()
	if none == nil {
		return nil
	}
	told()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

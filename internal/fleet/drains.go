package fleet

import (
	"context"
	"sync"
)

// drains counts the machines of an app that were replaced and still run. The zero value is ready to use.
type drains struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n becomes 0 again; nil while n is 0
}

func (d *drains) add() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		d.none = make(chan struct{})
	}
	d.n++
}

func (d *drains) done() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n--; d.n == 0 {
		close(d.none)
		d.none = nil
	}
}

// wait returns when no replaced machine of the app runs any more, or with the reason why ctx ended. It calls told if
// there is anything to wait for.
func (d *drains) wait(ctx context.Context, told func()) error {
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

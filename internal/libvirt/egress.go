package libvirt

import (
	"context"
	"fmt"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// wires are this process's connections to the networks of its machines, by their ids. The zero value has none.
type wires struct {
	mu   sync.Mutex
	open map[string]*wire.Client
}

// Restrict implements fleet.Driver.
func (d *Driver) Restrict(ctx context.Context, id string, e core.Egress) error {
	c := d.wires.get(id)
	if c == nil {
		return fmt.Errorf("the network of machine %s: %w", id, core.ErrNotFound)
	}
	return c.SetPolicy(ctx, e)
}

// hear connects to the network of a machine, and passes on what it refuses until the machine is gone or let go of.
func (d *Driver) hear(ctx context.Context, m *machine, app string) {
	conn, err := d.walls.Control(ctx, m.id)
	if err != nil {
		m.log.Warn().Err(err).Msg("what the machine's network refuses is not heard of")
		return
	}
	c := wire.Watch(conn, func(r wire.Refused) { m.tell(refusal(app, r)) })
	d.wires.put(m.id, c)
	go func() {
		defer d.wires.drop(m.id, c)
		select {
		case <-c.Done():
		case <-m.gone:
		case <-m.left:
		}
		c.Close()
	}()
}

// refusal is a line in the log of an app, which may not know why a connection fails.
func refusal(app string, r wire.Refused) core.Event {
	line := fmt.Sprintf("%s to %s is closed: it %s", r.Proto, r.Addr, r.Why)
	if r.Count > 1 {
		line += fmt.Sprintf(" (%d times)", r.Count)
	}
	line += fmt.Sprintf("; an administrator of this server opens it: network:allow %s %s", app, r.Addr)
	return core.Event{Kind: core.EventLog, Stream: "network", Line: line}
}

func (w *wires) get(id string) *wire.Client {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open[id]
}

func (w *wires) put(id string, c *wire.Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open == nil {
		w.open = map[string]*wire.Client{}
	}
	w.open[id] = c
}

func (w *wires) drop(id string, c *wire.Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[id] == c {
		delete(w.open, id)
	}
}

package jails

import (
	"context"
	"fmt"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// Wires are this process's connections to the networks of its machines, by their ids.
type Wires struct {
	jails *Jails

	mu   sync.Mutex
	open map[string]*wire.Client
}

// NewWires makes a set without connections.
func NewWires(j *Jails) *Wires { return &Wires{jails: j, open: map[string]*wire.Client{}} }

// Restrict implements fleet.Driver.
func (w *Wires) Restrict(ctx context.Context, id string, e core.Egress) error {
	w.mu.Lock()
	c := w.open[id]
	w.mu.Unlock()
	if c == nil {
		return fmt.Errorf("the network of machine %s: %w", id, core.ErrNotFound)
	}
	return c.SetPolicy(ctx, e)
}

// Hear connects to the network of a machine, and calls tell with what it refuses, until one of over is closed.
func (w *Wires) Hear(ctx context.Context, id, app string, tell core.Watch, over [2]<-chan struct{}) {
	conn, err := w.jails.Control(ctx, id)
	if err != nil {
		w.jails.Log.Warn().Err(err).Str("machine", id).Msg("what the machine's network refuses is not heard of")
		return
	}
	c := wire.Watch(conn, func(r wire.Refused) { tell(refusal(app, r)) })
	w.mu.Lock()
	w.open[id] = c
	w.mu.Unlock()
	go func() {
		select {
		case <-c.Done():
		case <-over[0]:
		case <-over[1]:
		}
		c.Close()
		w.drop(id, c)
	}()
}

func (w *Wires) drop(id string, c *wire.Client) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[id] == c {
		delete(w.open, id)
	}
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

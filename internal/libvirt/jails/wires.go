package jails

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// Wires are this process's connections to the networks of its machines, by their ids.
type Wires struct {
	jails  *Jails
	link   Link
	bridge Bridge

	mu   sync.Mutex
	open map[string]*wired
}

// wired is the network of one machine.
type wired struct {
	*wire.Client

	linked *linked
	tell   func(wire.Refused)
	egress *core.Egress // what was said last; nil: nothing, the machine was started with it
}

// Bridge is a network of libvirt, on which machines have no wires.
type Bridge interface {
	Restrict(ctx context.Context, id string, e core.Egress) error
}

// NewWires makes a set without connections. link may be nil: then no machine reaches another. bridge is where machines
// are that Jails calls bridged.
func NewWires(j *Jails, link Link, bridge Bridge) *Wires {
	return &Wires{jails: j, link: link, bridge: bridge, open: map[string]*wired{}}
}

// Restrict implements fleet.Driver.
func (w *Wires) Restrict(ctx context.Context, id string, e core.Egress) error {
	w.mu.Lock()
	c := w.open[id]
	if c != nil {
		c.egress = &e
	}
	w.mu.Unlock()
	if c == nil && w.jails.bridged(id) {
		return w.bridge.Restrict(ctx, id, e)
	}
	if c == nil {
		return fmt.Errorf("the network of machine %s: %w", id, core.ErrNotFound)
	}
	c.linked.set(e.Links)
	return c.SetPolicy(ctx, e)
}

// Hear connects to the network of a machine, and calls tell with what it refuses, until one of over is closed. started
// is what the machine was started with; nil: it was found running, and Restrict says it.
func (w *Wires) Hear(ctx context.Context, id, app string, started *core.Egress, tell core.Watch, over [2]<-chan struct{}) {
	if w.jails.bridged(id) {
		return
	}
	conn, err := w.jails.Control(ctx, id)
	if err != nil {
		w.jails.Log.Warn().Err(err).Str("machine", id).Msg("what the machine's network refuses is not heard of")
		return
	}
	l := newLinked(id, w.jails, w.link)
	if started != nil {
		l.set(started.Links)
	}
	c := &wired{linked: l, tell: func(r wire.Refused) { tell(refusal(app, r)) }}
	c.Client = wire.Watch(conn, c.tell, l.asked)
	w.mu.Lock()
	w.open[id] = c
	w.mu.Unlock()
	go w.follow(id, c, over)
}

// follow has c until one of over is closed, or the connection ends: the machine's network does. One to another host
// ends with the way there too, and is made again.
func (w *Wires) follow(id string, c *wired, over [2]<-chan struct{}) {
	for c != nil {
		select {
		case <-c.Done():
		case <-over[0]:
		case <-over[1]:
		}
		c.Close()
		if w.jails.There == "" {
			w.drop(id, c)
			return
		}
		c = w.again(id, c, over)
	}
}

// againPause is between two attempts to reach the network of a machine on another host.
const againPause = time.Second

// again makes the connection of c once more, and says what was said last: it may not have arrived. Nil: it is over.
func (w *Wires) again(id string, c *wired, over [2]<-chan struct{}) *wired {
	t := time.NewTicker(againPause)
	defer t.Stop()
	for {
		select {
		case <-over[0]:
			w.drop(id, c)
			return nil
		case <-over[1]:
			w.drop(id, c)
			return nil
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), knownTime)
		next := w.redial(ctx, id, c)
		cancel()
		if next != nil {
			return next
		}
	}
}

func (w *Wires) redial(ctx context.Context, id string, c *wired) *wired {
	conn, err := w.jails.Control(ctx, id)
	if err != nil {
		return nil
	}
	next := &wired{linked: c.linked, tell: c.tell}
	next.Client = wire.Watch(conn, c.tell, c.linked.asked)
	w.mu.Lock()
	next.egress = c.egress
	w.open[id] = next
	said := next.egress
	w.mu.Unlock()
	if said != nil && next.SetPolicy(ctx, *said) != nil {
		next.Close() // so that there is another attempt
	}
	return next
}

func (w *Wires) drop(id string, c *wired) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[id] == c {
		delete(w.open, id)
	}
}

// refusal is a line in the log of an app, which may not know why a connection fails.
func refusal(app string, r wire.Refused) core.Event {
	to := r.Addr.String()
	if r.App != "" {
		to = core.LinkHost(r.App)
		if r.Addr.Port() != 0 {
			to += fmt.Sprintf(":%d", r.Addr.Port())
		}
	}
	line := fmt.Sprintf("%s to %s is closed: it %s", r.Proto, to, r.Why)
	if r.Count > 1 {
		line += fmt.Sprintf(" (%d times)", r.Count)
	}
	switch {
	case r.App == "":
		line += fmt.Sprintf("; an administrator of this server opens it: network:allow %s %s", app, r.Addr)
	case r.Proto == "dns":
		line += fmt.Sprintf("; an administrator of this server links it: links:add %s %s", app, r.App)
	}
	return core.Event{Kind: core.EventLog, Stream: "network", Line: line}
}

package tcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
)

// door is a port of this host that leads to an app. Its fields are guarded by Router.mu.
type door struct {
	at    offer.HostPort
	close context.CancelFunc
	life  context.Context // of its connections
	cut   context.CancelFunc
	why   string // why it is not open; empty: it is

	now, total, refused, in, out atomic.Int64
}

// Use is how the ports are used that there are.
func (r *Router) Use() []offer.Use {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []offer.Use
	for _, port := range slices.Sorted(maps.Keys(r.doors)) {
		d := r.doors[port]
		all = append(all, offer.Use{
			HostPort: d.at, Why: d.why, Now: d.now.Load(), Total: d.total.Load(), Refused: d.refused.Load(), In: d.in.Load(), Out: d.out.Load(),
		})
	}
	return all
}

// Open is how many there are now, of all apps.
func (r *Router) Open() int {
	r.crowd.mu.Lock()
	defer r.crowd.mu.Unlock()
	return r.crowd.count
}

// Connections is how many an app has now, from this host's ports and from linked apps.
func (r *Router) Connections(app string) int { return r.crowd.now(app) }

// Reserve opens a port of this host for an app whose next release has it, or fails with the reason why it cannot be
// opened. Until the release serves, connections are reset.
func (r *Router) Reserve(p offer.HostPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.doors[p.Host]; ok && d.why == "" {
		if d.at.App == p.App {
			return nil
		}
		return core.Reject(fmt.Sprintf("port %d of this server leads to another app", p.Host), "choose another port")
	}
	l, err := r.cfg.Listen(p.Host)
	if err != nil {
		return cannotListen(p, err)
	}
	r.closeDoor(p.Host)
	r.open(p, l)
	return nil
}

func cannotListen(p offer.HostPort, err error) *core.Rejection {
	why, hint := "cannot be opened: "+err.Error(), ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		why, hint = "is in use by another program", fmt.Sprintf("choose another one, which leads to the app's: `ports:allow %s 15432:%d`", p.App, p.Port)
	case errors.Is(err, syscall.EACCES):
		why, hint = "can be opened by root alone", "choose one of 1024 or above, and let a firewall lead the other one there"
	}
	return &core.Rejection{Reason: fmt.Sprintf("port %d of this server %s", p.Host, why), Hint: hint, Err: err}
}

// arrange opens and closes ports so that app has those of o, and no others. What was connected by those that are closed
// goes on. r.mu is held.
func (r *Router) arrange(app string, o offer.Offer) (closed []*door) {
	wanted := map[int]bool{}
	for _, p := range o.Hosts {
		if !slices.Contains(o.TCP, p.Port) {
			continue // the live release does not have it
		}
		p.App = app
		wanted[p.Host] = true
		if d, ok := r.doors[p.Host]; ok {
			d.at = p // perhaps the app was renamed
			continue
		}
		r.open(p, nil)
	}
	for port, d := range r.doors {
		if d.at.App == app && !wanted[port] {
			r.closeDoor(port)
			closed = append(closed, d)
		}
	}
	return closed
}

func (r *Router) closeDoor(port int) {
	if d, ok := r.doors[port]; ok {
		d.close()
		delete(r.doors, port)
	}
}

// open makes a door, with a listener if there is one already; r.mu is held.
func (r *Router) open(p offer.HostPort, l net.Listener) {
	ctx, cancel := context.WithCancel(r.life)
	d := &door{at: p, close: cancel}
	d.life, d.cut = context.WithCancel(context.Background())
	r.doors[p.Host] = d
	if l == nil {
		var err error
		if l, err = r.cfg.Listen(p.Host); err != nil {
			d.why = cannotListen(p, err).Reason
			r.cfg.Log.Error().Err(err).Str("app", p.App).Int("port", p.Host).Msg("a port of an app cannot be opened: it is tried again")
		}
	}
	go r.serve(ctx, d, p.Host, l)
}

// retry is between two attempts to open a port.
const retry = 2 * time.Second

// serve takes connections at a port until ctx ends. If there is no listener, it tries to have one.
func (r *Router) serve(ctx context.Context, d *door, port int, l net.Listener) {
	for l == nil {
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return
		}
		var err error
		if l, err = r.cfg.Listen(port); err == nil {
			r.mu.Lock()
			d.why = ""
			r.mu.Unlock()
		}
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	log := r.cfg.Log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second})
	l = admit.Patient(ctx, l, func(err error) { log.Error().Err(err).Int("port", port).Msg("a port accepts no connection for now") })
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go r.take(ctx, d, client)
	}
}

// take leads one connection to the app.
func (r *Router) take(ctx context.Context, d *door, client net.Conn) {
	r.mu.Lock()
	at := d.at
	r.mu.Unlock()
	leave, ok := r.crowd.enter(at.App, admit.SourceOf(client.RemoteAddr()).String())
	if !ok {
		d.refused.Add(1)
		reset(client)
		return
	}
	defer leave()
	s, err := r.connect(ctx, at.App, func(o offer.Offer) (int, error) {
		if !slices.Contains(o.TCP, at.Port) {
			return 0, core.Reject("does not offer that port any more", "")
		}
		return at.Port, nil
	})
	if err != nil {
		d.refused.Add(1)
		r.cfg.Log.Debug().Err(err).Str("app", at.App).Int("port", at.Host).Msg("a connection was reset")
		reset(client)
		return
	}
	d.now.Add(1)
	d.total.Add(1)
	defer d.now.Add(-1)
	s.carry(d.life, client, r.cfg.Limits.Idle)
	s.release()
	d.in.Add(s.in.Load())
	d.out.Add(s.out.Load())
}

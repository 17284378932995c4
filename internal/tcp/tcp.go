// Package tcp is the way to apps by TCP: from ports of this host, and from apps that are linked to them. It moves an
// app to another machine without losing a new connection.
//
// It owns the listeners, which machine a connection goes to, the connections that wait for an app's next machine, and
// their counts and limits. It does not own which ports and links there are (package reach), nor which machine is live:
// the core says so through fleet.Router, here as to the HTTP front door.
package tcp

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
)

// Config is what a Router works with.
type Config struct {
	// Offer says which ports an app has: those of its live release, and those of the host that lead to them.
	Offer func(ctx context.Context, app string) (offer.Offer, error)
	// Listen opens a port of this host.
	Listen func(port int) (net.Listener, error)
	Limits Limits
	Log    zerolog.Logger
}

// Router leads connections to apps. Its methods are safe for concurrent use. With the HTTP front door, it is
// fleet.Router.
type Router struct {
	cfg   Config
	crowd *crowd
	life  context.Context // ends when gitd does
	end   context.CancelFunc

	mu     sync.Mutex
	places map[string]*place // by app
	doors  map[int]*door     // by port of the host
}

// New makes a router that knows no app.
func New(cfg Config) *Router {
	r := &Router{cfg: cfg, crowd: newCrowd(cfg.Limits), places: map[string]*place{}, doors: map[int]*door{}}
	r.life, r.end = context.WithCancel(context.Background())
	return r
}

// offerTime is for the ledger to say what an app offers.
const offerTime = 10 * time.Second

// Switch implements fleet.Router.
func (r *Router) Switch(app string, addrs []string) (drain func(ctx context.Context)) {
	offer, known := r.ask(app)
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.place(app)
	if known {
		p.offer = offer
	}
	left := p.become(func(old spot) (next spot) {
		for _, addr := range addrs {
			at := slices.IndexFunc(old.backends, func(b *backend) bool { return b.addr == addr })
			if at >= 0 {
				next.backends = append(next.backends, old.backends[at])
			} else {
				next.backends = append(next.backends, newBackend(addr))
			}
		}
		return next
	})
	r.arrange(app, p.offer)
	return draining(left)
}

// ask asks what an app offers. What cannot be found out stays as it was.
func (r *Router) ask(app string) (o offer.Offer, known bool) {
	ctx, cancel := context.WithTimeout(context.Background(), offerTime)
	defer cancel()
	o, err := r.cfg.Offer(ctx, app)
	if err != nil {
		r.cfg.Log.Error().Err(err).Str("app", app).Msg("the TCP ports of an app are not known: they stay as they were")
	}
	return o, err == nil
}

// Hold implements fleet.Router: new connections wait. The ports of an app that sleeps are open, also if it has not
// served since gitd's start.
func (r *Router) Hold(app string, limit time.Duration, knock func()) (drain func(ctx context.Context)) {
	if knock == nil {
		return r.move(app, spot{hold: newHold(limit, nil)})
	}
	offer, known := r.ask(app)
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.place(app)
	if p.hold != nil && p.hold.knock != nil {
		return func(context.Context) {}
	}
	if known {
		p.offer = offer
	}
	left := p.become(func(spot) spot { return spot{hold: newHold(limit, knock)} })
	r.arrange(app, p.offer)
	return draining(left)
}

// Counts is how many connections app has, those included that wait, and how many it has had.
func (r *Router) Counts(app string) (now, ever int) { return r.crowd.counts(app) }

// Down implements fleet.Router: new connections are reset.
func (r *Router) Down(app, reason string) (drain func(ctx context.Context)) {
	return r.move(app, spot{reason: reason})
}

func (r *Router) move(app string, to spot) (drain func(ctx context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return draining(r.place(app).become(func(spot) spot { return to }))
}

// Remove implements fleet.Router: the app's ports are closed.
func (r *Router) Remove(app string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.places[app]; ok {
		p.become(func(spot) spot { return spot{reason: "it does not exist any more"} })
		delete(r.places, app)
	}
	r.arrange(app, offer.Offer{})
}

// place finds or makes that of an app; r.mu is held.
func (r *Router) place(app string) *place {
	p, ok := r.places[app]
	if !ok {
		p = &place{}
		r.places[app] = p
	}
	return p
}

// Reload reads again what an app offers: somebody has changed which ports of the host it has. Connections by those that
// it has no longer are cut.
func (r *Router) Reload(app string) {
	offer, known := r.ask(app)
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.places[app]
	if !ok || !known {
		return
	}
	if len(p.backends) > 0 { // otherwise nothing has served yet, and the next Switch asks
		p.offer = offer
	}
	for _, d := range r.arrange(app, offer) {
		d.cut()
	}
}

// NoHTTP reports whether the live release of app speaks no HTTP.
func (r *Router) NoHTTP(app string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.places[app]
	return ok && p.offer.NoHTTP
}

// Carry connects to a port of app for somebody who is linked to it, calls bring for their side, and carries bytes both
// ways until either side, or ctx, ends. An error is from before bring; what the one who asked may read is a
// *core.Rejection. from is by what they are counted.
func (r *Router) Carry(ctx context.Context, app, from string, port int, bring func(context.Context) (net.Conn, error)) error {
	leave, ok := r.crowd.enter(app, from)
	if !ok {
		return core.Reject("has too many connections", "")
	}
	defer leave()
	s, err := r.connect(ctx, app, func(o offer.Offer) (int, error) {
		at, ok := o.Port(port)
		if !ok {
			return 0, core.Reject("does not offer that port: it offers "+o.Text(), "")
		}
		return at, nil
	})
	if err != nil {
		return err
	}
	defer s.release()
	client, err := bring(ctx)
	if err != nil {
		s.machine.Close()
		return err
	}
	s.carry(ctx, client, 0)
	return nil
}

// shutdownLimit is for connections at work when gitd ends.
const shutdownLimit = 10 * time.Second

// Serve returns when ctx has ended, and with it what was carried: connections at work get a moment.
func (r *Router) Serve(ctx context.Context) error {
	<-ctx.Done()
	r.end()
	r.mu.Lock()
	var left []*backend
	for app, p := range r.places {
		left = append(left, p.become(func(spot) spot { return spot{reason: "gitd is stopping"} })...)
		r.arrange(app, offer.Offer{})
	}
	r.mu.Unlock()
	bound, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	draining(left)(bound)
	return nil
}

// Package proxy is the HTTP front door: it sends each request to the live machine of the app that its Host header
// names, and moves an app to another machine without losing a request.
//
// It owns the routing table, the count of requests on each backend, the requests that wait for an app's next machine,
// and what a client sees when no app answers. It does not own which machine is live or healthy: the core says so
// through fleet.Router. With apps.Names, this is engine.Router.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/proxy/guard"
	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

const (
	// headerLimit ends the connection of a client that sends its headers byte by byte. Bodies and responses have no
	// limit as long as they get on (stallLimit): uploads, downloads and event streams may take any time.
	headerLimit   = 10 * time.Second
	idleLimit     = 2 * time.Minute  // of a client's connection between two requests
	shutdownLimit = 10 * time.Second // for requests that run when the daemon ends
	maxHeader     = 64 << 10         // bytes
)

// Config is what a Proxy works with.
type Config struct {
	Domain string // apps are served at APP.Domain; required
	Log    zerolog.Logger
	// ResponseTimeout bounds the wait for a response to begin, once the
	// request has been sent as a whole. 0: two minutes.
	ResponseTimeout time.Duration
	Limits          Limits
	Trusted         origin.Proxies // whose X-Forwarded-For, Forwarded and X-Request-Id are believed
	Passing         origin.Proxies // whose connections begin with the PROXY protocol
	// After are called after each request, by the goroutine that has answered it. They must not wait for anything.
	After  []func(Request)
	Secure Secure // zero: there is no TLS
	// Before is closed when the gitd before this one has ended, which may still have requests; nil: there is none.
	Before <-chan struct{}

	stall time.Duration // 0: stallLimit
}

// Proxy is the front door. Its methods are safe for concurrent use.
type Proxy struct {
	domain  string
	log     zerolog.Logger
	crowd   *crowd
	table   table
	room    waitingRoom
	backend backendConfig
	refused atomic.Int64 // connections, since the start
	trusted origin.Proxies
	passing origin.Proxies
	hashing *guard.Hashing
	after   []func(Request)
	secure  Secure
	*departure

	ending context.Context // ends when the daemon begins to end
	end    context.CancelFunc
}

var _ http.Handler = (*Proxy)(nil)

// New makes a front door that knows no app yet.
func New(cfg Config) *Proxy {
	if cfg.ResponseTimeout == 0 {
		cfg.ResponseTimeout = 2 * time.Minute
	}
	p := &Proxy{
		domain: strings.ToLower(strings.Trim(cfg.Domain, ".")),
		log:    cfg.Log,
		table:  newTable(),
		room:   waitingRoom{ofApp: map[string]int{}},

		trusted: cfg.Trusted,
		passing: cfg.Passing,
		hashing: guard.NewHashing(),
		after:   cfg.After,
		secure:  cfg.Secure,
	}
	p.crowd = newCrowd(limitsOf(cfg.Limits, admit.Descriptors()), cmp.Or(cfg.stall, stallLimit), p.turnedAway())
	p.crowd.trusted = cfg.Trusted
	p.departure = &departure{crowd: p.crowd, before: cfg.Before}
	p.ending, p.end = context.WithCancel(context.Background())
	p.backend = backendConfig{
		stall:           p.crowd.stall,
		responseTimeout: cfg.ResponseTimeout,
		answer:          ownAnswer(p.domain),
		// A client can cause one such line with each request.
		log:     cfg.Log.Sample(&zerolog.BurstSampler{Burst: 20, Period: time.Second}),
		buffers: newBuffers(),
	}
	return p
}

// turnedAway logs that a client was, now and then.
func (p *Proxy) turnedAway() func() {
	log := p.log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second})
	return func() {
		p.refused.Add(1)
		log.Warn().Int("most", p.crowd.Conns).Int("most_from_one_address", p.crowd.ConnsFrom).
			Msg("a client was turned away: too many connections are at work")
	}
}

// unnamed logs that a proxy did not say whose connection it passes on, now and then.
func unnamed(log zerolog.Logger) func(error) {
	log = log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second})
	return func(err error) { log.Warn().Err(err).Msg("a connection of --proxy-protocol was closed") }
}

// Switch implements fleet.Router. When it returns, the backends that were replaced get no new request. If the ctx of
// drain ends first, drain cuts what still runs there, upgraded connections included. A backend that stays keeps its
// connections.
func (p *Proxy) Switch(app string, addrs []string) (drain func(ctx context.Context)) {
	left := p.table.set(app, func(old route) (next route) {
		for _, addr := range addrs {
			at := slices.IndexFunc(old.backends, func(b *backend) bool { return b.addr == addr })
			if at >= 0 {
				next.backends = append(next.backends, old.backends[at])
			} else {
				next.backends = append(next.backends, newBackend(app, addr, p.backend))
			}
		}
		return next
	})
	p.log.Debug().Str("app", app).Strs("addrs", addrs).Msg("traffic switched")
	return p.counted(draining(left))
}

// Hold implements fleet.Router.
func (p *Proxy) Hold(app string, limit time.Duration, knock func()) (drain func(ctx context.Context)) {
	if knock != nil && p.table.sleeps(app) {
		return func(context.Context) {}
	}
	left := p.table.set(app, becomes(route{hold: newHold(limit, knock)}))
	p.log.Debug().Str("app", app).Dur("limit", limit).Msg("requests are held")
	return p.counted(draining(left))
}

// draining waits for the requests on all backends that have left, side by side: ctx ends for all at once.
func draining(left []*backend) func(ctx context.Context) {
	return func(ctx context.Context) {
		var all sync.WaitGroup
		for _, b := range left {
			all.Go(func() { b.drain(ctx) })
		}
		all.Wait()
	}
}

// Down implements fleet.Router. Requests that run go on: the machine may still answer them.
func (p *Proxy) Down(app, reason string) (drain func(ctx context.Context)) {
	left := p.table.set(app, becomes(route{reason: reason}))
	p.log.Debug().Str("app", app).Str("reason", reason).Msg("app is down")
	return p.counted(draining(left))
}

// Remove implements fleet.Router.
func (p *Proxy) Remove(app string) { p.table.remove(app) }

// Names implements apps.Names.
func (p *Proxy) Names(app string, hosts []string) {
	good := slices.DeleteFunc(slices.Clone(hosts), func(h string) bool { return core.CheckHost(h, p.domain) != nil })
	taken := p.table.setNames(app, good)
	if len(good) < len(hosts) || len(taken) > 0 {
		p.log.Warn().Str("app", app).Strs("hosts", hosts).Strs("taken", taken).Msg("not all names of an app are served")
	}
}

// ServeHTTP sends a request to the app that it is for.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v, r := p.begin(w, r)
	defer func() { p.ended(v, r) }()
	leave, ok := p.crowd.request(r, v.origin)
	if !ok {
		write(v, r, pageCrowd)
		return
	}
	defer leave()
	app, kind := p.appOf(r.Host)
	count, rules := p.table.door(app)
	if to, ok := p.secure.elsewhere(r, kind == hostBare || count != nil, v.origin.Scheme); ok {
		redirect(v, r, to)
		return
	}
	switch {
	case kind != hostApp || count == nil:
		write(v, r, p.noApp(kind))
		return
	case r.Method == http.MethodConnect:
		write(v, r, page{http.StatusMethodNotAllowed, "No tunnels", "CONNECT is not served here."})
		return
	}
	v.app, v.guard = app, rules
	end := count.begin()
	defer func() { end(v.status) }()
	p.guarded(v, r)
}

// forward sends r to the place of app. If nothing accepts connections there, nothing of r was sent. Then forward sends
// r again, if the app has another machine, or has moved meanwhile.
func (p *Proxy) forward(w *visit, r *http.Request, app string) {
	var tried []*backend
	var unsent error
	for {
		b, answer := p.place(r, app, tried)
		switch {
		case answer != nil:
			write(w, r, *answer)
			return
		case b == nil:
			panic(http.ErrAbortHandler) // the client is gone: close its connection
		case slices.Contains(tried, b):
			b.release()
			write(w, r, failure(unsent, false))
			return
		}
		w.machine = b.addr
		if unsent = b.serve(w, r); unsent == nil {
			return
		}
		tried = append(tried, b)
	}
}

// noApp returns the page for a host at which no app is served.
func (p *Proxy) noApp(kind hostKind) page {
	if kind == hostBare {
		return page{http.StatusOK, "gitd",
			"This server runs Node.js apps, each in a virtual machine of its own, at NAME." + p.domain +
				". To run one here, push its repository with git."}
	}
	// The page does not repeat the host, which is text from the client.
	return page{http.StatusNotFound, "There is no app here", "Apps are served at NAME." + p.domain + "."}
}

// Serve answers on l until ctx ends. Then it lets running requests end, for shutdownLimit at most. After that it cuts
// upgraded connections: it does not wait for them, because they may never end.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	srv := p.server()
	if p.secure.First != nil {
		srv.Handler = p.secure.First(p)
	}
	return p.serve(ctx, l, srv, func(srv *http.Server, l net.Listener) error {
		return srv.Serve(listener{l, p.crowd, busy})
	})
}

// serve answers on l with srv; how begins.
func (p *Proxy) serve(ctx context.Context, l net.Listener, srv *http.Server, how func(*http.Server, net.Listener) error) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv.BaseContext = func(net.Listener) context.Context { return base }
	defer srv.Close()
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		p.shutdown(srv)
	})
	l = admit.Patient(ctx, l, func(err error) { p.log.Error().Err(err).Msg("the front door accepts no connection for now") })
	l = origin.Passed(l, p.passing, unnamed(p.log))
	err := how(srv, l)
	if stop() {
		return fmt.Errorf("front door: %w", err)
	}
	<-done
	return nil
}

// server is what every listener of the front door has.
func (p *Proxy) server() *http.Server {
	return &http.Server{
		Handler:           p,
		ReadHeaderTimeout: headerLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          quiet(p.log),
		ConnState:         p.crowd.changed,
		// An app answers `OPTIONS *` itself.
		DisableGeneralOptionsHandler: true,
	}
}

func (p *Proxy) shutdown(srv *http.Server) {
	p.end() // held requests are answered now: no machine will follow
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := srv.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		p.log.Warn().Dur("waited", shutdownLimit).Msg("requests that did not end were cut")
	}
}

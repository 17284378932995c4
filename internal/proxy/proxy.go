// Package proxy is the HTTP front door: it sends each request to the live
// machine of the app that its Host header names, and moves an app to another
// machine without losing a request.
//
// It owns the routing table, the count of requests on each backend, and what
// a client sees when no app answers. It does not own which machine is live or
// healthy: the core says so through deploy.Router.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gitd/internal/deploy"
)

const (
	// headerLimit ends a client that sends its headers byte by byte. There is
	// no limit for bodies and responses: uploads, downloads and event streams
	// may take as long as they like.
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
}

// Proxy is the front door. Its methods are safe for concurrent use.
type Proxy struct {
	domain  string
	log     zerolog.Logger
	table   table
	backend backendConfig
}

var (
	_ deploy.Router = (*Proxy)(nil)
	_ http.Handler  = (*Proxy)(nil)
)

// New makes a front door that knows no app yet.
func New(cfg Config) *Proxy {
	if cfg.ResponseTimeout == 0 {
		cfg.ResponseTimeout = 2 * time.Minute
	}
	p := &Proxy{
		domain: strings.ToLower(strings.Trim(cfg.Domain, ".")),
		log:    cfg.Log,
		table:  table{apps: map[string]route{}},
	}
	p.backend = backendConfig{
		responseTimeout: cfg.ResponseTimeout,
		// A client can cause such a line with each request.
		log:     cfg.Log.Sample(&zerolog.BurstSampler{Burst: 20, Period: time.Second}),
		buffers: newBuffers(),
	}
	return p
}

// Switch implements deploy.Router. When it returns, the backend before gets
// no new request. If the ctx of drain ends first, drain cuts what still runs
// there, upgraded connections included.
func (p *Proxy) Switch(app, addr string) (drain func(ctx context.Context)) {
	old := p.table.set(app, route{backend: newBackend(app, addr, p.backend)})
	p.log.Debug().Str("app", app).Str("addr", addr).Msg("traffic switched")
	if old == nil {
		return func(context.Context) {}
	}
	return old.drain
}

// Down implements deploy.Router. Requests that run are left alone: the
// machine may still be ending them.
func (p *Proxy) Down(app, reason string) { p.table.set(app, route{reason: reason}) }

// Remove implements deploy.Router.
func (p *Proxy) Remove(app string) { p.table.remove(app) }

// ServeHTTP sends a request to the app that it is for.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	app, kind := appOf(r.Host, p.domain)
	if kind != hostApp {
		p.noApp(w, r, kind)
		return
	}
	if r.Method == http.MethodConnect {
		write(w, r, page{http.StatusMethodNotAllowed, "No tunnels", "CONNECT is not served here."})
		return
	}
	b, reason, known := p.table.acquire(app)
	switch {
	case !known:
		p.noApp(w, r, hostUnknown)
	case b == nil:
		w.Header().Set("Retry-After", retryAfter)
		write(w, r, page{http.StatusServiceUnavailable, "This app is not running", "It cannot answer now: " + reason + "."})
	default:
		defer b.release()
		b.serve(w, r)
	}
}

func (p *Proxy) noApp(w http.ResponseWriter, r *http.Request, kind hostKind) {
	if kind == hostBare {
		write(w, r, page{http.StatusOK, "gitd",
			"This server runs Node.js apps, each in a virtual machine of its own, at NAME." + p.domain +
				". To run one here, push its repository with git."})
		return
	}
	// The host is not repeated: it is the client's text, not ours.
	write(w, r, page{http.StatusNotFound, "There is no app here", "Apps are served at NAME." + p.domain + "."})
}

// Serve answers on l until ctx ends, then lets running requests end for a
// bounded time. Upgraded connections end at once: nobody can wait for those.
func (p *Proxy) Serve(ctx context.Context, l net.Listener) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           p,
		ReadHeaderTimeout: headerLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          quiet(p.log),
	}
	defer srv.Close()
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		p.shutdown(srv)
	})
	err := srv.Serve(l)
	if stop() {
		return fmt.Errorf("front door: %w", err)
	}
	<-done
	return nil
}

func (p *Proxy) shutdown(srv *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := srv.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		p.log.Warn().Dur("waited", shutdownLimit).Msg("requests that did not end were cut")
	}
}

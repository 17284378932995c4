package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// errCut is the reason why requests end on a machine whose time to drain is over.
var errCut = errors.New("the machine was replaced and did not end this request in time")

// errStalled is why a request ended of which the client has sent nothing more.
var errStalled = errors.New("the client sent nothing more of its request")

// backendConfig is what all backends share.
type backendConfig struct {
	stall           time.Duration // see stallLimit
	responseTimeout time.Duration
	answer          func(*http.Response) error // what is changed in what an app answers
	log             zerolog.Logger
	buffers         httputil.BufferPool
}

// backend is one machine that requests go to. Each has a pool of connections
// of its own, so that the end of one machine touches no other's.
type backend struct {
	addr  string
	proxy *httputil.ReverseProxy
	pool  *pool
	stall time.Duration
	life  context.Context // ends with cut
	cut   context.CancelFunc

	mu      sync.Mutex
	active  int // requests that run here, upgraded connections included
	retired bool
	idle    chan struct{} // closed when retired and nothing is active
}

func newBackend(app, addr string, cfg backendConfig) *backend {
	b := &backend{addr: addr, idle: make(chan struct{}), stall: cfg.stall}
	b.life, b.cut = context.WithCancel(context.Background())
	b.pool = newPool(addr, cfg.responseTimeout)
	log := cfg.log.With().Str("app", app).Str("addr", addr).Logger()
	b.proxy = &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      b.pool,
		FlushInterval:  -1, // at once, for event streams
		BufferPool:     cfg.buffers,
		ModifyResponse: cfg.answer,
		ErrorHandler:   failed(log),
		ErrorLog:       quiet(log),
	}
	return b
}

// serve forwards one request that was counted here, and releases it. The request ends early when the client leaves or
// the backend is cut. An error means that nothing of the request was sent, and that the client was not answered.
func (b *backend) serve(w http.ResponseWriter, r *http.Request) (unsent error) {
	defer b.release()
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	r = r.WithContext(ctx)
	back := newReply(w, r, b.stall)
	done := make(chan struct{})
	stop := context.AfterFunc(b.life, func() {
		defer close(done)
		cancel(errCut)
		back.interrupt()
	})
	defer func() {
		if !stop() {
			<-done
		}
		back.finish()
	}()
	if target := machineURL(r).RequestURI(); isPlain(r, target) {
		b.plain(back, r, target)
	} else {
		b.proxy.ServeHTTP(back, r)
	}
	return back.unsent
}

// acquire counts a request. Only the table calls it, and only for a backend
// that is in it.
func (b *backend) acquire() {
	b.mu.Lock()
	b.active++
	b.mu.Unlock()
}

// load is how many requests run here.
func (b *backend) load() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.active
}

func (b *backend) release() {
	b.mu.Lock()
	b.active--
	last := b.retired && b.active == 0
	b.mu.Unlock()
	if last {
		b.close()
	}
}

// retire is called once, when the backend has left the table.
func (b *backend) retire() {
	b.mu.Lock()
	b.retired = true
	last := b.active == 0
	b.mu.Unlock()
	if last {
		b.close()
	}
}

func (b *backend) close() {
	b.cut() // nothing runs any more: this only frees the context
	b.pool.CloseIdleConnections()
	close(b.idle)
}

// drain waits until no request runs on a retired backend. If ctx ends first, drain cuts the remaining requests and
// waits for their end, which a client can delay by lastWords at most.
func (b *backend) drain(ctx context.Context) {
	select {
	case <-b.idle:
		return
	case <-ctx.Done():
	}
	b.cut()
	select {
	case <-b.idle:
	case <-time.After(2 * lastWords):
		b.pool.CloseIdleConnections()
	}
}

package proxy

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"

	"github.com/rs/zerolog"
)

// rewrite sends a request to a machine with the Host and the target that the client sent, byte for byte. The headers of
// proxies (X-Forwarded-For and the like) are the front door's own: what a client claims in them is dropped, and what a
// trusted proxy says is in them. X-Forwarded-For is one address, the client's, whatever proxies it came by: an app that
// trusts one proxy, gitd, reads the right one.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL = machineURL(r.In)
	r.Out.Host = r.In.Host
	v, h := visitOf(r.In), r.Out.Header
	for name := range h {
		if isOurs(name) {
			delete(h, name)
		}
	}
	if v.user != "" {
		h.Del("Authorization")
	}
	for _, own := range ours(v) {
		h.Set(own[0], own[1])
	}
	// After "Upgrade: h2c" a client could send headers that the front door never sees.
	if !strings.EqualFold(r.Out.Header.Get("Upgrade"), "websocket") {
		r.Out.Header.Del("Upgrade")
		r.Out.Header.Del("Connection")
	}
}

// failed returns the error handler of a backend: it answers a request that got no response, unless the request can be
// sent again.
func failed(log zerolog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		cut := errors.Is(context.Cause(r.Context()), errCut)
		back, ok := w.(*reply)
		v := visitOf(r)
		switch {
		case v.tooLong.Load():
			refuse(w, r, v.guard.TooLong())
			return
		case ok && back.stalled.Load() && !cut: // net/http takes the client for gone
			write(w, r, failure(errStalled, false))
			return
		case r.Context().Err() != nil && !cut:
			panic(http.ErrAbortHandler) // the client is gone: close its connection
		}
		// The path is not in the log: it may contain private data.
		log.Warn().Err(err).Str("method", r.Method).Bool("cut", cut).Msg("app does not answer")
		if ok && !cut && noConnection(err) {
			back.unsent = err
			return
		}
		write(w, r, failure(err, cut))
	}
}

// noConnection reports whether a request failed before any of it was sent.
func noConnection(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func failure(err error, cut bool) page {
	var timeout net.Error
	switch {
	case errors.Is(err, errStalled):
		return page{http.StatusRequestTimeout, "Nothing more came", "The rest of this request did not come in time."}
	case cut:
		return page{http.StatusServiceUnavailable, "Try again", "A new release of this app has taken over, and the one before did not end this request in time."}
	case errors.As(err, &timeout) && timeout.Timeout():
		return page{http.StatusGatewayTimeout, "This app does not answer", "It did not answer in time."}
	default:
		return page{http.StatusBadGateway, "This app does not answer", "Its machine runs, but the connection to it failed."}
	}
}

// buffers is a pool of buffers for copying bodies.
type buffers struct{ pool sync.Pool }

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([64 << 10]byte) }}}
}

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte { return b.pool.Get().(*[64 << 10]byte)[:] }

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) { b.pool.Put((*[64 << 10]byte)(p)) }

// quiet returns a logger for net/http's own messages. It logs them for debugging only, because clients cause most of
// them.
func quiet(l zerolog.Logger) *log.Logger { return log.New(debugLog{l}, "", 0) }

type debugLog struct{ log zerolog.Logger }

func (d debugLog) Write(p []byte) (int, error) {
	d.log.Debug().Msg(strings.TrimSpace(string(p)))
	return len(p), nil
}

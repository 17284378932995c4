// Package wire asks a machine by HTTP/1.1 what has no body to send, and carries the answer on, all of it on the
// goroutine of the request.
//
// It owns the connections for such requests, how long they are kept, and when what was read of an answer goes on to
// the client. It does not own requests with a body, nor upgrades: for those an answer may come before all is sent, and
// http.Transport has two goroutines for each connection, which is what half of a small request would cost.
package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Pool is the connections to one machine. Its methods are safe for concurrent use.
type Pool struct {
	dial  func(context.Context) (net.Conn, error)
	limit time.Duration // of the wait for an answer to begin

	mu    sync.Mutex
	idle  []*conn // the one that was used last is the last
	keep  time.Duration
	ended bool
	sweep *time.Timer // nil: nothing is idle
}

const (
	maxIdle   = 64        // connections kept for the next requests
	maxHeader = 256 << 10 // bytes, of all headers of one answer; a machine is hostile
)

// NewPool makes a Pool without connections, which keeps an idle one so long.
func NewPool(dial func(context.Context) (net.Conn, error), limit, keep time.Duration) *Pool {
	return &Pool{dial: dial, limit: limit, keep: keep}
}

// Request is one without a body. It must be one that may be sent twice: GET or HEAD.
type Request struct {
	Method, Target, Host string
	Header               http.Header            // as the client has sent it
	Drop                 func(name string) bool // of Header, beside those that are for one connection only
	Own                  [][2]string            // written beside them
	// Told is called with each answer that says only how far it is (1xx).
	Told func(status int, h http.Header)
}

// staleError is that a connection had ended before it brought a byte of an answer.
type staleError struct{ error }

func (e staleError) Unwrap() error { return e.error }

// valid reports whether what the front door adds is sound: Fits does not see it, and no client may write a line of its
// own by a name that gitd passes on.
func (r Request) valid() bool {
	for _, h := range r.Own {
		if !httpguts.ValidHeaderFieldValue(h[1]) {
			return false
		}
	}
	return httpguts.ValidHostHeader(r.Host)
}

var errInvalid = errors.New("this request cannot be passed on")

var errSwitched = errors.New("the machine switched to another protocol unasked")

// Send sends r and returns the answer as soon as it begins. A connection that was idle may have been closed by the
// machine at that moment: then r is sent again, on a new one. The connection ends with ctx.
func (p *Pool) Send(ctx context.Context, r Request) (*Answer, error) {
	if !r.valid() {
		return nil, errInvalid
	}
	if c := p.take(); c != nil {
		a, err := p.send(ctx, c, r)
		var stale staleError
		if err == nil || ctx.Err() != nil || !errors.As(err, &stale) {
			return a, err
		}
	}
	c, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	return p.send(ctx, newConn(c), r)
}

func (p *Pool) send(ctx context.Context, c *conn, r Request) (*Answer, error) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	res, err := c.exchange(r, p.limit)
	if err != nil {
		stop()
		c.Close()
		return nil, err
	}
	a := &Answer{Response: res, conn: c, pool: p, stop: stop}
	if res.ContentLength > 0 && res.Body != http.NoBody {
		a.left = res.ContentLength
	}
	return a, nil
}

// take returns an idle connection, or nil: one that the machine has neither closed nor sent anything on.
func (p *Pool) take() *conn {
	for {
		c := p.last()
		if c == nil || c.quiet() {
			return c
		}
		c.Close()
	}
}

func (p *Pool) last() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return c
}

// put keeps a connection for the next request.
func (p *Pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.keep <= 0 || len(p.idle) >= maxIdle {
		c.Close()
		return
	}
	c.since = time.Now()
	p.idle = append(p.idle, c)
	if p.sweep == nil {
		p.sweep = time.AfterFunc(p.keep, p.expire)
	}
}

// expire closes what has been idle for too long, and comes again when the time of the next is over.
func (p *Pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep = nil
	p.drop(time.Now().Add(-p.keep))
	if len(p.idle) > 0 {
		p.sweep = time.AfterFunc(time.Until(p.idle[0].since.Add(p.keep)), p.expire)
	}
}

// drop closes those that are idle since before; mu is held.
func (p *Pool) drop(before time.Time) {
	n := 0
	for n < len(p.idle) && !p.idle[n].since.After(before) {
		p.idle[n].Close()
		n++
	}
	p.idle = append(p.idle[:0], p.idle[n:]...)
}

// Keep has the pool keep idle connections so long from now on; 0 keeps none.
func (p *Pool) Keep(keep time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep = keep
	p.drop(time.Now().Add(-keep))
	if p.sweep != nil {
		p.sweep.Reset(keep)
	}
}

// Close closes what is idle. What is at work now is not kept.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.drop(time.Now())
}

// hop is the names that are for one connection only.
var hop = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
}

// Strip takes out of an answer what is for one connection only.
func Strip(h http.Header) {
	for name := range named(h) {
		h.Del(name)
	}
	for name := range hop {
		delete(h, name)
	}
}

// named yields what the Connection header names.
func named(h http.Header) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range h["Connection"] {
			for name := range strings.SplitSeq(line, ",") {
				if name = textproto.TrimString(name); name != "" && !yield(name) {
					return
				}
			}
		}
	}
}

// connectionNames is what the Connection header of a request names, as keys of its header.
func connectionNames(h http.Header) (names []string) {
	for name := range named(h) {
		if name != "close" && name != "keep-alive" {
			names = append(names, textproto.CanonicalMIMEHeaderKey(name))
		}
	}
	return names
}

// Fits reports whether a request with this target and header can be sent here. The servers of net/http see to that,
// but each of the three in another place, and what stands here goes to a machine byte for byte.
func Fits(target string, h http.Header) bool {
	for _, c := range []byte(target) {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	for name, values := range h {
		if !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return false
			}
		}
	}
	return target != "" && len(h["Upgrade"]) == 0 && len(h["Expect"]) == 0
}

// ended is err of a read in the middle of an answer, where the end of the connection is no good end.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

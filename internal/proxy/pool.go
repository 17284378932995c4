package proxy

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/proxy/wire"
)

const (
	dialLimit = 5 * time.Second
	// nodesIdle is how long Node keeps an idle connection, unless the app sets something else.
	nodesIdle         = 5 * time.Second
	maxIdle           = 64        // connections kept for the next requests
	maxResponseHeader = 256 << 10 // bytes; a machine is hostile
)

// pool is the connections to one machine. It keeps an idle one for less time than the app does: a POST that is being
// sent on a connection that the app closes would be lost, because it must not be sent twice.
//
// An app says how long that is with each answer (Keep-Alive: timeout=5), and the pool believes the smallest that it has
// heard. http.Transport has one such time from its beginning to its end, so a smaller one means another transport. That
// happens before the answer's own connection is idle. The app may announce whole seconds from 0 to 4: it can cause five
// transports at most.
//
// Rejected: to close a connection from outside of the transport, which may be handing it to a request at that moment.
type pool struct {
	addr            string // of the machine
	responseTimeout time.Duration

	direct *wire.Pool // for requests that need no transport

	mu     sync.Mutex
	now    *http.Transport
	allows time.Duration // how long the app keeps an idle connection, by what it has said so far
}

func newPool(addr string, responseTimeout time.Duration) *pool {
	p := &pool{addr: addr, responseTimeout: responseTimeout, allows: nodesIdle}
	p.now = p.transport()
	dial := core.MachineDialer(addr, dialLimit)
	p.direct = wire.NewPool(func(ctx context.Context) (net.Conn, error) { return dial(ctx, "", "") }, responseTimeout, p.keeps())
	return p
}

// transport makes a transport to the machine. It takes no proxy from the environment, does not use HTTP/2, and does not
// change bodies.
func (p *pool) transport() *http.Transport {
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	return &http.Transport{
		DialContext:            core.MachineDialer(p.addr, dialLimit),
		DisableCompression:     true,
		DisableKeepAlives:      p.allows == 0,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        p.keeps(),
		ResponseHeaderTimeout:  p.responseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxResponseHeader,
		Protocols:              only1,
	}
}

// keeps is how long an idle connection is kept: the app's clock began earlier, and a busy machine answers late.
func (p *pool) keeps() time.Duration { return p.allows * 3 / 5 }

// RoundTrip implements http.RoundTripper.
func (p *pool) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := p.current().RoundTrip(r)
	if err == nil {
		p.heard(res.Header)
	}
	return res, err
}

// heard learns from an answer how long the app keeps an idle connection.
func (p *pool) heard(h http.Header) {
	if allows, said := announced(h); said {
		p.keepFor(allows)
	}
}

func (p *pool) current() *http.Transport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// keepFor has the pool keep idle connections shorter than the app does, from now on. The old transport keeps none that
// becomes idle later, and gets no more requests.
func (p *pool) keepFor(allows time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if allows >= p.allows {
		return
	}
	old := p.now
	p.allows = allows
	p.now = p.transport()
	p.direct.Keep(p.keeps())
	old.CloseIdleConnections()
}

// CloseIdleConnections closes those that no request uses, and those that requests use now as soon as they are idle.
func (p *pool) CloseIdleConnections() {
	p.direct.Close()
	p.current().CloseIdleConnections()
}

// announced reads how long an app keeps an idle connection from its answer.
func announced(h http.Header) (allows time.Duration, said bool) {
	for _, line := range h.Values("Keep-Alive") {
		for option := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(option), "=")
			seconds, err := strconv.ParseUint(strings.TrimSpace(value), 10, 31)
			if err == nil && strings.EqualFold(name, "timeout") {
				return time.Duration(seconds) * time.Second, true
			}
		}
	}
	return 0, false
}

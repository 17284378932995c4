package proxy

import (
	"container/list"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

// Limits are how many connections clients may have. A connection that waits for a machine's answer needs a second
// descriptor, and the other doors need some too: see limitsOf.
type Limits struct {
	Conns     int // in all; 0: what the process may have open allows
	ConnsFrom int // from one address; 0: a quarter of Conns
}

// limitsOf fills in what l leaves open, for a process that may have so many files open. A quarter of them stays for
// SSH, for the control socket, and for what gitd itself opens.
func limitsOf(l Limits, descriptors int) Limits {
	const usual = 32768
	if l.Conns == 0 {
		l.Conns = min(usual, max(16, descriptors*3/8))
	}
	if l.ConnsFrom == 0 {
		l.ConnsFrom = max(8, l.Conns/4)
	}
	return l
}

// crowd is the connections of all clients. When there are too many, the one that has waited longest for its next
// request makes room for a new one: of the same address if that has too many, and of any otherwise. A client that finds
// such a connection closed opens another. If all of them are at work, the new one is turned away.
type crowd struct {
	Limits
	stall time.Duration // see stallLimit

	mu      sync.Mutex
	conns   int        // with the requests on shared connections
	waiting *list.List // of *guest: those that wait for a request, the longest first
	sources map[netip.Addr]*crowdSource
	full    func()         // called when a connection was turned away
	trusted origin.Proxies // of many clients: their requests are counted, and not their connections
	shaking atomic.Int32   // connections of QUIC whose handshake has not ended
	leaves  atomic.Bool
	none    chan struct{} // closed when no connection is left; nil: the front door does not leave
}

// crowdSource is one address.
type crowdSource struct {
	conns   int
	waiting *list.List // of *guest, as in crowd
}

func newCrowd(l Limits, stall time.Duration, full func()) *crowd {
	return &crowd{Limits: l, stall: stall, waiting: list.New(), sources: map[netip.Addr]*crowdSource{}, full: full}
}

// guest is the connection of one client.
type guest struct {
	net.Conn
	crowd *crowd
	from  netip.Addr
	proxy bool // a trusted one

	mu       sync.Mutex
	deadline time.Time // of writes, as somebody has set it
	renewed  time.Time // of writes, as renew has set it; zero: another is set

	// Guarded by crowd.mu.
	inAll, inSource *list.Element // while it waits for a request
	left            bool
	requests        int    // of a connection of QUIC
	shaken          func() // of one: its handshake has ended
}

// listener lets clients into the crowd.
type listener struct {
	net.Listener
	crowd *crowd
	busy  string // what a client is told for which there is no place; empty: nothing
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := l.crowd.enter(conn, l.busy); g != nil {
			return g, nil
		}
	}
}

// busy is what a client is told for which there is no place. Its request is not read.
const busy = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: " + retryAfter +
	"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nToo many connections. Try again later.\n"

// enter counts conn in, or turns it away and returns nil.
func (c *crowd) enter(conn net.Conn, busy string) *guest {
	g := &guest{Conn: conn, crowd: c, from: admit.SourceOf(conn.RemoteAddr()), proxy: c.trusted.HasAddr(conn.RemoteAddr())}
	places, gone := c.take(g)
	if gone != nil {
		gone.Conn.Close() // its server sees the end at its next read
	}
	if places {
		return g
	}
	c.full()
	if busy != "" {
		conn.SetWriteDeadline(time.Now().Add(time.Second)) //nolint:errcheck // it is closed anyway
		io.WriteString(conn, busy)                         //nolint:errcheck // a courtesy
	}
	conn.Close()
	return nil
}

// request counts a request that shares its connection with others, until leave. It reports whether there is a place.
func (c *crowd) request(r *http.Request, o origin.Origin) (leave func(), ok bool) {
	switch {
	case r.ProtoMajor > 1:
		return c.shared(guestOf(r), admit.Source(o.Client))
	case o.Proxy:
		return c.passed(o.Client)
	}
	return func() {}, true
}

// shared gives a request of HTTP/2 or HTTP/3 a place as a connection has one: it may need one of its own to a machine.
// g is its connection, if that is one of QUIC.
func (c *crowd) shared(g *guest, from netip.Addr) (leave func(), ok bool) {
	c.mu.Lock()
	c.busy(g, 1) // first: it must not make room for itself
	src, ok, gone := c.place(from, false)
	if !ok {
		c.busy(g, -1)
	}
	c.mu.Unlock()
	if gone != nil {
		gone.Conn.Close()
	}
	if !ok {
		c.full()
		return nil, false
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy(g, -1)
		c.conns--
		c.leave(from, src)
	}, true
}

// passed counts a request that a trusted proxy has passed on as a connection of its client, until leave; the
// connection to the proxy is another's the moment after. It reports whether the client may have so many.
func (c *crowd) passed(client netip.Addr) (leave func(), ok bool) {
	from := admit.Source(client)
	c.mu.Lock()
	defer c.mu.Unlock()
	src := c.source(from)
	if src.conns >= c.ConnsFrom {
		return nil, false
	}
	c.sources[from] = src
	src.conns++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leave(from, src)
	}, true
}

// source finds or makes what is known of an address.
func (c *crowd) source(from netip.Addr) *crowdSource {
	if src := c.sources[from]; src != nil {
		return src
	}
	return &crowdSource{waiting: list.New()}
}

// leave counts one connection of an address out.
func (c *crowd) leave(from netip.Addr, src *crowdSource) {
	if src.conns--; src.conns == 0 {
		delete(c.sources, from)
	}
}

// take gives g a place if there is one, or if another connection can go, which the caller closes.
func (c *crowd) take(g *guest) (ok bool, gone *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	src, ok, gone := c.place(g.from, g.proxy)
	if ok {
		c.wait(g, src)
	}
	return ok, gone
}

// place counts one more of an address. If there are too many, one that waits for a request goes for it.
func (c *crowd) place(from netip.Addr, proxy bool) (src *crowdSource, ok bool, gone *guest) {
	src = c.source(from)
	switch {
	case src.conns >= c.ConnsFrom && !proxy:
		gone = longest(src.waiting)
	case c.conns >= c.Conns:
		gone = longest(c.waiting)
	default:
		ok = true
	}
	if gone != nil {
		c.remove(gone)
		ok = true
	}
	if !ok {
		return nil, false, nil
	}
	c.sources[from] = src
	c.conns++
	src.conns++
	return src, true, gone
}

func longest(l *list.List) *guest {
	if e := l.Front(); e != nil {
		return e.Value.(*guest)
	}
	return nil
}

// wait notes that g waits for a request from now on.
func (c *crowd) wait(g *guest, src *crowdSource) {
	if g.inAll == nil {
		g.inAll, g.inSource = c.waiting.PushBack(g), src.waiting.PushBack(g)
	}
}

// work notes that g has a request.
func (c *crowd) work(g *guest, src *crowdSource) {
	if g.inAll != nil {
		c.waiting.Remove(g.inAll)
		src.waiting.Remove(g.inSource)
		g.inAll, g.inSource = nil, nil
	}
}

// changed is the server's http.Server.ConnState.
func (c *crowd) changed(conn net.Conn, s http.ConnState) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	g, ok := conn.(*guest)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	src := c.sources[g.from]
	switch {
	case g.left || src == nil:
	case s == http.StateIdle:
		c.wait(g, src)
	case s == http.StateActive, s == http.StateHijacked:
		c.work(g, src)
	}
}

// remove counts g out, once.
func (c *crowd) remove(g *guest) {
	if g.left {
		return
	}
	g.left = true
	src := c.sources[g.from]
	c.work(g, src)
	c.conns--
	c.noted()
	c.leave(g.from, src)
}

// Close implements net.Conn.
func (g *guest) Close() error {
	g.crowd.mu.Lock()
	g.crowd.remove(g)
	g.crowd.mu.Unlock()
	return g.Conn.Close()
}

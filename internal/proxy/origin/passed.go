package origin

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

const (
	// headerLimit is how long a proxy may take to say whose connection it passes on. It sends that first, and at once.
	headerLimit = 5 * time.Second
	// maxSilent is how many connections of proxies may be open that have not said it yet.
	maxSilent = 1024
)

// Passed is a listener that knows the clients of connections which proxies pass on with the PROXY protocol (version 1
// or 2). Each connection of one of from must begin with it: a client's own bytes, which a proxy without it passes on,
// could claim to be a header. From everybody else it is no header, but the beginning of a bad request. told is called
// with what was wrong with a header.
func Passed(l net.Listener, from Proxies, told func(error)) net.Listener {
	if len(from) == 0 {
		return l
	}
	p := &passed{Listener: l, from: from, told: told, ready: make(chan net.Conn), ended: make(chan struct{}), silent: make(chan struct{}, maxSilent)}
	go p.accept()
	return p
}

type passed struct {
	net.Listener
	from   Proxies
	told   func(error)
	ready  chan net.Conn
	silent chan struct{} // has a token for each connection that has not said whose it is
	once   sync.Once
	ended  chan struct{} // closed with the listener
	err    error         // why Accept failed; set before ended is closed
}

// accept takes connections. A slow proxy holds up nobody else's.
func (p *passed) accept() {
	for {
		conn, err := p.Listener.Accept()
		if err != nil {
			p.end(err)
			return
		}
		if !p.from.HasAddr(conn.RemoteAddr()) {
			p.hand(conn)
			continue
		}
		select {
		case p.silent <- struct{}{}:
			go p.ask(conn)
		default:
			p.told(errors.New("too many connections of proxies do not say whose they are"))
			conn.Close()
		}
	}
}

// ask reads whose connection conn is.
func (p *passed) ask(conn net.Conn) {
	client, err := clientOf(conn)
	<-p.silent
	if err != nil {
		p.told(fmt.Errorf("the proxy %s does not say whose connection it passes on: %w", conn.RemoteAddr(), err))
		conn.Close()
		return
	}
	p.hand(client)
}

func clientOf(conn net.Conn) (net.Conn, error) {
	conn.SetReadDeadline(time.Now().Add(headerLimit)) //nolint:errcheck // the read fails on a closed connection
	r := bufio.NewReader(conn)
	head, err := proxyproto.Read(r)
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, err
	}
	c := &client{Conn: conn, begun: r, remote: conn.RemoteAddr()}
	// What the proxy itself asks, as a health check, has no other address than its own.
	if from, ok := head.SourceAddr.(*net.TCPAddr); ok && !head.Command.IsLocal() {
		c.remote = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.AddrPort().Addr().Unmap(), from.AddrPort().Port()))
	}
	return c, nil
}

func (p *passed) hand(conn net.Conn) {
	select {
	case p.ready <- conn:
	case <-p.ended:
		conn.Close()
	}
}

func (p *passed) end(err error) {
	p.once.Do(func() {
		p.err = err
		close(p.ended)
	})
}

// Accept implements net.Listener.
func (p *passed) Accept() (net.Conn, error) {
	select {
	case conn := <-p.ready:
		return conn, nil
	case <-p.ended:
		return nil, p.err
	}
}

// Close implements net.Listener.
func (p *passed) Close() error {
	err := p.Listener.Close()
	p.end(net.ErrClosed)
	return err
}

// client is a connection that a proxy has passed on.
type client struct {
	net.Conn
	begun  *bufio.Reader // what came with the header; nil: it was read
	remote net.Addr
}

// RemoteAddr implements net.Conn: it is the client's.
func (c *client) RemoteAddr() net.Addr { return c.remote }

// Read implements net.Conn. One goroutine at a time may call it.
func (c *client) Read(b []byte) (int, error) {
	if c.begun != nil {
		if c.begun.Buffered() > 0 {
			return c.begun.Read(b)
		}
		c.begun = nil
	}
	return c.Conn.Read(b)
}

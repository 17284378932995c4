package gateway

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// How long a connection may take to be made, in the world and in the guest.
const (
	dialTime  = 30 * time.Second
	guestTime = 30 * time.Second
)

// tcpOut makes a connection that the guest asks for: first in the world, then with the guest, which so hears what
// came of it. The forwarder runs it in a goroutine, at most maxDialling of them.
func (g *gateway) tcpOut(r *tcp.ForwarderRequest) {
	id := r.ID()
	dst := netip.AddrPortFrom(addrOf(id.LocalAddress), id.LocalPort)
	d, err := g.find("tcp", dst)
	if err != nil {
		r.Complete(true)
		return
	}
	c := newConn(context.Background(), g.policy.wait)
	c.destination = d
	if !g.add(c) {
		g.refusals.Add(wire.Refused{Proto: "tcp", Addr: d.target, Why: "is one more than a machine may have connections"})
		r.Complete(true)
		return
	}
	defer c.cancel()
	defer g.remove(c)
	world, err := g.dial(c.ctx, d)
	if err != nil {
		// One that did not answer does not answer the guest either, whose own patience counts.
		timeout, is := errors.AsType[net.Error](err)
		r.Complete(!is || !timeout.Timeout())
		return
	}
	var queue waiter.Queue
	ep, terr := r.CreateEndpoint(&queue)
	r.Complete(false)
	if terr != nil {
		reset(world)
		return
	}
	if !c.join(world, newGuestEnd(ep, &queue, g.crowded())) {
		return
	}
	c.splice()
}

// dial connects to a destination: out in the world, or, of a link, by what gitd brings.
func (g *gateway) dial(ctx context.Context, d destination) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if d.link == nil {
		return (&net.Dialer{}).DialContext(ctx, "tcp", d.target.String())
	}
	world, err := g.asks.Get(ctx, d.link.ID, int(d.target.Port()))
	if no, is := errors.AsType[wire.ErrNo](err); is {
		g.refusals.Add(wire.Refused{Proto: "tcp", Addr: d.target, App: d.link.Names[0], Why: no.Why})
	}
	return world, err
}

// unlimited is the limit of what comes in: an answer leaves as fast as it is asked for.
func unlimited(context.Context, int) error { return nil }

// add enters a connection of the guest, if it may have one more.
func (g *gateway) add(c *conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.out) >= maxConnsOut {
		return false
	}
	g.out[c] = struct{}{}
	return true
}

// crowded reports whether there are more connections than may have large buffers.
func (g *gateway) crowded() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.out)+len(g.in) > crowd
}

func (g *gateway) remove(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.out, c)
}

// cut ends the connections that f chooses.
func (g *gateway) cut(f func(*conn) bool) {
	g.mu.Lock()
	var list []*conn
	for c := range g.out {
		if f(c) {
			list = append(list, c)
		}
	}
	g.mu.Unlock()
	for _, c := range list {
		c.cut()
	}
}

// serve takes connections at a door. With maxConnsIn of them at all doors, the next waits there.
func (g *gateway) serve(ctx context.Context, door net.Listener, handle func(net.Conn)) error {
	for {
		select {
		case g.in <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		world, err := accept(ctx, door)
		if err != nil {
			return err
		}
		go func() {
			defer func() { <-g.in }()
			handle(world)
		}()
	}
}

// portIn takes a connection of gitd for a port of the guest, or one for which this machine has asked.
func (g *gateway) portIn(ctx context.Context, world net.Conn) {
	n, asked, err := guestport.Read(world)
	switch {
	case err != nil:
		world.Close()
	case !asked:
		g.tcpIn(ctx, world, uint16(n), true)
	case g.asks.Bring(n, world) != nil:
		world.Close()
	}
}

// accept waits for a connection. A lack of descriptors passes, and must not close the door.
func accept(ctx context.Context, door net.Listener) (net.Conn, error) {
	for {
		c, err := door.Accept()
		if err == nil || ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// tcpIn connects one that came in with a port of the guest. If nothing listens there, it is closed at once; with
// confirm, it is told first that something does.
func (g *gateway) tcpIn(ctx context.Context, world net.Conn, port uint16, confirm bool) {
	c := newConn(ctx, unlimited)
	defer context.AfterFunc(ctx, c.cut)()
	defer c.cancel()
	end, err := g.dialGuest(ctx, port)
	if err != nil {
		reset(world)
		return
	}
	if confirm && guestport.Confirm(world) != nil {
		end.ep.Abort()
		world.Close()
		return
	}
	if c.join(world, end) {
		c.splice()
	}
}

func (g *gateway) dialGuest(ctx context.Context, port uint16) (*guestEnd, error) {
	ctx, cancel := context.WithTimeout(ctx, guestTime)
	defer cancel()
	queue := new(waiter.Queue)
	ep, terr := g.stack.NewEndpoint(tcp.ProtocolNumber, header.IPv4ProtocolNumber, queue)
	if terr != nil {
		return nil, fail("connect to the app", terr)
	}
	made, notify := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventHUp | waiter.EventErr)
	queue.EventRegister(&made)
	defer queue.EventUnregister(&made)
	terr = ep.Bind(fullAddress(netip.AddrPortFrom(wire.Gateway, 0)))
	if terr == nil {
		terr = ep.Connect(fullAddress(netip.AddrPortFrom(wire.Guest, port)))
	}
	if _, started := terr.(*tcpip.ErrConnectStarted); started {
		select {
		case <-ctx.Done():
			ep.Abort()
			return nil, ctx.Err()
		case <-notify:
			terr = ep.LastError()
		}
	}
	if terr != nil {
		ep.Close()
		return nil, fail("connect to the app", terr)
	}
	return newGuestEnd(ep, queue, g.crowded()), nil
}

// Package gateway is the network of one machine, outside the guest: a router in user space. QEMU hands it the guest's
// frames, and it opens ordinary sockets for what the guest may reach.
//
// It owns what a machine may reach and how much of this host's memory its network takes, whatever the guest sends. It
// does not own who may connect to the machine (whoever may open its doors), and it needs no rights: it runs as a user
// of its own, outside of every guest and beside QEMU. Everything that comes from QEMU is hostile.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sync/errgroup"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// What a machine may have at once. Beyond it, the guest's newest connection is refused and its oldest flow of UDP ends.
const (
	maxConnsIn  = 1024
	maxConnsOut = 1024
	maxDialling = 256 // connections of the guest that are not there yet, on one side or the other
	maxFlows    = 512
	endingFlows = 32
)

// Config is the network of one machine.
type Config struct {
	Port   int         // where the app listens in the guest; 0: nobody connects to it
	Policy core.Egress // until gitd sends another

	dns *resolvers // nil: those of this host
}

// Doors are listeners that were opened before, so that whoever runs the gateway needs no rights to open them.
type Doors struct {
	App     net.Listener // takes connections for the app's port; nil: nobody connects to it
	Ports   net.Listener // takes connections for any port of the guest, and those that were asked for; or nil
	Control net.Listener // takes gitd: see package wire; nil: the policy stays
}

// gateway is one machine's network while it runs.
type gateway struct {
	cfg      Config
	stack    *stack.Stack
	link     *link
	policy   *policy
	links    links
	refusals *wire.Refusals
	asks     *wire.Asks
	dns      *resolvers

	in  chan struct{} // has maxConnsIn places
	mu  sync.Mutex
	out map[*conn]struct{} // what the guest has connected to
	udp *flows
}

// Run carries frames between QEMU and the world until ctx ends or QEMU closes. frames is the other end of QEMU's
// `-netdev stream`: a length of four bytes, then a frame. Run closes frames and the doors. Closing frames must end a
// read of it, as closing a net.Conn does.
//
// The process is best given one thread to run on (GOMAXPROCS=1): what it does is to pass on, and a second one only
// waits for the first.
func Run(ctx context.Context, frames io.ReadWriteCloser, doors Doors, cfg Config) error {
	g, err := newGateway(frames, cfg)
	if err != nil {
		frames.Close()
		return err
	}
	defer g.close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := g.link.read()
		if err == nil || errors.Is(err, io.EOF) {
			err = errQEMUGone
		}
		return err
	})
	if doors.App != nil && cfg.Port != 0 {
		group.Go(func() error {
			return g.serve(ctx, doors.App, func(c net.Conn) { g.tcpIn(ctx, c, uint16(cfg.Port), false) })
		})
	}
	if doors.Ports != nil {
		group.Go(func() error { return g.serve(ctx, doors.Ports, func(c net.Conn) { g.portIn(ctx, c) }) })
	}
	if doors.Control != nil {
		group.Go(func() error { return wire.Serve(ctx, doors.Control, g.refusals, g.asks, g.setPolicy) })
	}
	context.AfterFunc(ctx, func() {
		frames.Close()
		for _, l := range []net.Listener{doors.App, doors.Ports, doors.Control} {
			if l != nil {
				l.Close()
			}
		}
	})
	err = group.Wait()
	if errors.Is(err, errQEMUGone) || errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// errQEMUGone is the ordinary end.
var errQEMUGone = errors.New("QEMU has closed the machine's network")

func newGateway(frames io.ReadWriteCloser, cfg Config) (*gateway, error) {
	g := &gateway{
		cfg: cfg, policy: newPolicy(cfg.Policy), refusals: wire.NewRefusals(), asks: wire.NewAsks(),
		link: newLink(frames), in: make(chan struct{}, maxConnsIn), out: map[*conn]struct{}{},
	}
	if g.dns = cfg.dns; g.dns == nil {
		g.dns = newResolvers(resolvConf, dnsPort)
	}
	g.links.set(cfg.Policy.Links)
	g.udp = &flows{gateway: g, table: map[flowKey]*flow{}}
	var err error
	if g.stack, err = newStack(g.link); err != nil {
		return nil, err
	}
	g.forward()
	return g, nil
}

func (g *gateway) close() {
	g.cut(func(*conn) bool { return true })
	g.udp.cut(func(*flow) bool { return true })
	g.stack.Close()
}

// setPolicy makes p the policy at once: what it no longer allows and is there already, is cut.
func (g *gateway) setPolicy(p core.Egress) {
	g.policy.set(p)
	g.links.set(p.Links)
	g.cut(func(c *conn) bool { return !g.still(c.destination) })
	g.udp.cut(func(f *flow) bool { return !g.still(f.destination) })
}

// destination is what is behind an address of the guest's.
type destination struct {
	target netip.AddrPort // what is dialled; of a link, what the guest has dialled
	dns    bool           // it is one of the host's DNS servers
	link   *core.LinkEnd  // nil: it is in the world
}

// still reports whether the guest may reach d by the policy that there is now.
func (g *gateway) still(d destination) bool {
	if d.link != nil {
		now := g.links.at(d.target.Addr())
		return now != nil && now.ID == d.link.ID
	}
	return d.dns || g.policy.check(d.target) == nil
}

// errRefused is a decision, and no failure.
type errRefused struct{ why string }

func (e errRefused) Error() string { return e.why }

// hostLoopback is what the gateway's address leads to, if a rule allows it: in the guest, the loopback's own address
// means the guest.
var hostLoopback = netip.MustParseAddr("127.0.0.1")

// find is what is behind a destination of the guest, or an error that was told to gitd.
func (g *gateway) find(proto string, dst netip.AddrPort) (d destination, err error) {
	switch dst.Addr() {
	case wire.DNS:
		if dst.Port() == dnsPort {
			target, err := g.dns.pick()
			return destination{target: target, dns: true}, err
		}
	case wire.Gateway:
		dst = netip.AddrPortFrom(hostLoopback, dst.Port())
	case wire.Gateway6:
		dst = netip.AddrPortFrom(netip.IPv6Loopback(), dst.Port())
	}
	if link := g.links.at(dst.Addr()); link != nil {
		if proto != "tcp" {
			err = errRefused{"is reached by TCP alone"}
			g.refusals.Add(wire.Refused{Proto: proto, Addr: dst, App: link.Names[0], Why: err.Error()})
		}
		return destination{target: dst, link: link}, err
	}
	err = g.policy.check(dst)
	if refused, is := errors.AsType[errRefused](err); is {
		g.refusals.Add(wire.Refused{Proto: proto, Addr: dst, Why: refused.why})
	}
	return destination{target: dst}, err
}

func addrOf(a tcpip.Address) netip.Addr {
	ip, _ := netip.AddrFromSlice(a.AsSlice())
	return ip.Unmap()
}

func fullAddress(a netip.AddrPort) tcpip.FullAddress {
	return tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFromSlice(a.Addr().AsSlice()), Port: a.Port()}
}

func fail(what string, err tcpip.Error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", what, err)
}

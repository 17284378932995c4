package gateway

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// appPort is where the app listens in the guest.
const appPort = 3000

// machine is a gateway with a guest: another TCP/IP stack at the other end of QEMU's socket.
type machine struct {
	t       *testing.T
	stack   *stack.Stack
	cable   net.Conn // the guest's, for frames by hand
	app     net.Addr
	watch   *wire.Client
	asks    chan wire.Ask // what the machine's network asks for, which nobody answers but the test
	refused chan wire.Refused
	frames  chan []byte // what is no IP packet, for whoever asks
}

// startMachine runs a gateway whose rules are as people type them.
func startMachine(t *testing.T, rules ...string) *machine {
	t.Helper()
	return startConfig(t, Config{Port: appPort, Policy: egress(t, rules...)})
}

func startConfig(t *testing.T, cfg Config) *machine {
	t.Helper()
	ours, theirs := socketpair(t)
	app, control := listenUnix(t, "app"), listenUnix(t, "control")
	ports, err := net.Listen("unix", guestport.Door(app.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, ours, Doors{App: app, Ports: ports, Control: control}, cfg)
	}()
	m := &machine{t: t, cable: theirs, app: app.Addr(), refused: make(chan wire.Refused, 1000), frames: make(chan []byte, 1000), asks: make(chan wire.Ask, 1000)}
	m.startGuest()
	conn, err := net.Dial("unix", control.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m.watch = wire.Watch(conn, func(r wire.Refused) { m.refused <- r }, func(_ *wire.Client, a wire.Ask) { m.asks <- a })
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
		<-m.watch.Done()
		m.stack.Close()
	})
	return m
}

func egress(t *testing.T, rules ...string) core.Egress {
	t.Helper()
	var e core.Egress
	for _, text := range rules {
		r, err := core.ParseEgressRule(text)
		if err != nil {
			t.Fatal(err)
		}
		e.Rules = append(e.Rules, r)
	}
	return e
}

func socketpair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn := func(fd int) net.Conn {
		f := os.NewFile(uintptr(fd), "cable")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return conn(fds[0]), conn(fds[1])
}

func listenUnix(t *testing.T, name string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// startGuest makes the guest's stack as nodeos-init configures its own.
func (m *machine) startGuest() {
	m.t.Helper()
	ep := channel.New(512, mtu, guestMAC)
	m.stack = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	if err := setTCP(m.stack); err != nil {
		m.t.Fatal(err)
	}
	if err := m.stack.CreateNIC(nic, ep); err != nil {
		m.t.Fatal(err)
	}
	for _, a := range []netip.Addr{wire.Guest, wire.Guest6} {
		if err := addAddress(m.stack, a); err != nil {
			m.t.Fatal(err)
		}
	}
	m.stack.SetRouteTable([]tcpip.Route{
		{Destination: header.IPv4EmptySubnet, NIC: nic}, {Destination: header.IPv6EmptySubnet, NIC: nic},
	})
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wait.Go(func() {
		for pkt := ep.ReadContext(ctx); pkt != nil; pkt = ep.ReadContext(ctx) {
			m.send(pkt.NetworkProtocolNumber, pkt.ToView().AsSlice())
			pkt.DecRef()
		}
	})
	wait.Go(func() { m.receive(ep) })
	m.t.Cleanup(func() { m.cable.Close(); cancel(); wait.Wait() })
}

// send writes a frame with this payload.
func (m *machine) send(proto tcpip.NetworkProtocolNumber, payload []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(header.EthernetMinimumSize+len(payload)))
	b = append(b, gatewayMAC...)
	b = append(b, guestMAC...)
	b = binary.BigEndian.AppendUint16(b, uint16(proto))
	m.sendRaw(append(b, payload...))
}

func (m *machine) sendRaw(b []byte) {
	m.cable.Write(b) //nolint:errcheck // the gateway may have ended
}

func (m *machine) receive(ep *channel.Endpoint) {
	var size [prefixSize]byte
	for {
		if _, err := io.ReadFull(m.cable, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(m.cable, frame); err != nil {
			return
		}
		proto := header.Ethernet(frame).Type()
		if proto == header.ARPProtocolNumber || proto == header.IPv6ProtocolNumber && isNeighbours(frame) {
			m.frames <- frame
			continue
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(frame[header.EthernetMinimumSize:])})
		ep.InjectInbound(proto, pkt)
		pkt.DecRef()
	}
}

// isNeighbours reports whether a frame says who has an address of IPv6.
func isNeighbours(frame []byte) bool {
	b := frame[header.EthernetMinimumSize:]
	return header.IPv6(b).NextHeader() == uint8(header.ICMPv6ProtocolNumber) &&
		header.ICMPv6(b[header.IPv6MinimumSize:]).Type() == header.ICMPv6NeighborAdvert
}

// dial connects from the guest.
func (m *machine) dial(to netip.AddrPort) (*gonet.TCPConn, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Second)
	defer cancel()
	c, err := gonet.DialContextTCP(ctx, m.stack, fullAddress(to), protocolOf(to.Addr()))
	if err == nil {
		m.t.Cleanup(func() { c.Close() })
	}
	return c, err
}

func (m *machine) mustDial(to netip.AddrPort) *gonet.TCPConn {
	m.t.Helper()
	c, err := m.dial(to)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// dialUDP makes a socket of the guest for one destination. The channel gets a value when the guest hears that nobody is
// there.
func (m *machine) dialUDP(to netip.AddrPort) (*gonet.UDPConn, <-chan struct{}) {
	m.t.Helper()
	queue := new(waiter.Queue)
	ep, err := m.stack.NewEndpoint(udp.ProtocolNumber, protocolOf(to.Addr()), queue)
	if err != nil {
		m.t.Fatal(err)
	}
	refused, heard := waiter.NewChannelEntry(waiter.EventErr)
	queue.EventRegister(&refused)
	if err := ep.Connect(fullAddress(to)); err != nil {
		m.t.Fatal(err)
	}
	c := gonet.NewUDPConn(queue, ep)
	m.t.Cleanup(func() { c.Close() })
	return c, heard
}

// listenApp listens in the guest, where the app would.
func (m *machine) listenApp() net.Listener {
	m.t.Helper()
	l, err := gonet.ListenTCP(m.stack, fullAddress(netip.AddrPortFrom(wire.Guest, appPort)), header.IPv4ProtocolNumber)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { l.Close() })
	return l
}

// dialApp connects as gitd does.
func (m *machine) dialApp() *net.UnixConn {
	m.t.Helper()
	c, err := net.Dial("unix", m.app.String())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	return c.(*net.UnixConn)
}

// nextRefused waits for a report.
func (m *machine) nextRefused() wire.Refused {
	m.t.Helper()
	select {
	case r := <-m.refused:
		return r
	case <-time.After(10 * time.Second):
		m.t.Fatal("no report")
		return wire.Refused{}
	}
}

// gatewayPort is a server's place as the guest names it, and its rule.
func gatewayPort(addr net.Addr) (asGuest netip.AddrPort, rule string) {
	at := netip.MustParseAddrPort(addr.String())
	if at.Addr().Is4() {
		return netip.AddrPortFrom(wire.Gateway, at.Port()), at.String()
	}
	return netip.AddrPortFrom(wire.Gateway6, at.Port()), at.String()
}

// deadline bounds what a test waits for on c.
func deadline(t *testing.T, c interface{ SetDeadline(time.Time) error }, after time.Duration) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(after)); err != nil {
		t.Fatal(err)
	}
}

// say writes everything, and that there is no more. The other side may go before.
func say(c interface {
	io.Writer
	CloseWrite() error
}, data []byte) {
	if _, err := c.Write(data); err == nil {
		_ = c.CloseWrite()
	}
}

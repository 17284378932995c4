package gateway

import (
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"

	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// nic is the one interface of the stack: the cable to the guest.
const nic tcpip.NICID = 1

// What one connection may keep in memory, each way. The guest is a memory's copy away, so that more brings nothing.
const (
	minBuffer     = 4 << 10
	defaultBuffer = 64 << 10
	maxBuffer     = 256 << 10
)

// A machine's first connections may have the large buffers, and those beyond, small ones: 2,048 large ones would be a
// gigabyte. TCP offers half of a small one as its window, which is more than a frame.
const (
	crowd       = 64
	crowdBuffer = 32 << 10
)

// closing is how long an end of a connection that both sides have closed is kept. Nothing on the cable overtakes or
// comes late, and a guest that opens and closes without end must not fill the memory.
const closing = 500 * time.Millisecond

// newStack makes the router: it takes the guest's packets for whatever destination.
func newStack(l *link) (*stack.Stack, error) {
	s := stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocolWithOptions(ipv6.Options{})},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
	})
	if err := s.CreateNIC(nic, l); err != nil {
		return nil, fail("create the network", err)
	}
	for _, a := range []netip.Addr{wire.Gateway, wire.DNS, wire.Gateway6} {
		if err := addAddress(s, a); err != nil {
			return nil, err
		}
	}
	s.SetRouteTable([]tcpip.Route{
		{Destination: guestAddress.WithPrefix().Subnet(), NIC: nic}, {Destination: guestAddress6.WithPrefix().Subnet(), NIC: nic},
	})
	if err := s.SetPromiscuousMode(nic, true); err != nil {
		return nil, fail("take every destination", err)
	}
	if err := s.SetSpoofing(nic, true); err != nil {
		return nil, fail("answer for every destination", err)
	}
	return s, setTCP(s)
}

func addAddress(s *stack.Stack, a netip.Addr) error {
	p := tcpip.ProtocolAddress{
		Protocol:          protocolOf(a),
		AddressWithPrefix: tcpip.AddrFromSlice(a.AsSlice()).WithPrefix(),
	}
	return fail("add the address "+a.String(), s.AddProtocolAddress(nic, p, stack.AddressProperties{}))
}

// protocolOf is the stack's number of the IP that an address is of.
func protocolOf(a netip.Addr) tcpip.NetworkProtocolNumber {
	if a.Is4() {
		return header.IPv4ProtocolNumber
	}
	return header.IPv6ProtocolNumber
}

func setTCP(s *stack.Stack) error {
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	wait := tcpip.TCPTimeWaitTimeoutOption(closing)
	linger := tcpip.TCPLingerTimeoutOption(10 * time.Second)
	for _, o := range []tcpip.SettableTransportProtocolOption{
		&sack, &moderate, &wait, &linger,
		&tcpip.TCPReceiveBufferSizeRangeOption{Min: minBuffer, Default: defaultBuffer, Max: maxBuffer},
		&tcpip.TCPSendBufferSizeRangeOption{Min: minBuffer, Default: defaultBuffer, Max: maxBuffer},
	} {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fail("set up TCP", err)
		}
	}
	return nil
}

// forward hands the guest's connections and datagrams to us.
func (g *gateway) forward() {
	out := tcp.NewForwarder(g.stack, 0, maxDialling, g.tcpOut)
	g.stack.SetTransportProtocolHandler(tcp.ProtocolNumber, out.HandlePacket)
	g.stack.SetTransportProtocolHandler(udp.ProtocolNumber, g.udp.handle)
}

package gateway

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// cable is a QEMU that has said everything and hears nothing.
type cable struct{ io.Reader }

func (cable) Write(b []byte) (int, error) { return len(b), nil }
func (cable) Close() error                { return nil }

// counter takes the packets of a link.
type counter struct{ n int }

func (c *counter) DeliverNetworkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer) { c.n++ }
func (*counter) DeliverLinkPacket(tcpip.NetworkProtocolNumber, *stack.PacketBuffer)      {}

// FuzzFrames: whatever a QEMU that was taken over writes, the reader of frames ends with it.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 6})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 1, 16, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, w := io.Pipe()
		go func() { _, _ = w.Write(b); w.Close() }()
		l := newLink(cable{r})
		c := new(counter)
		l.Attach(c)
		if err := l.read(); err == nil {
			t.Error("the reader ended without a reason")
		}
		if c.n > len(b)/(prefixSize+header.EthernetMinimumSize) {
			t.Errorf("%d packets from %d bytes", c.n, len(b))
		}
		r.Close()
	})
}

// FuzzPackets: whatever guest root puts into its packets, the stack goes on. They come two by two, so that the second
// meets what the first has left.
func FuzzPackets(f *testing.F) {
	to := netip.MustParseAddrPort("10.9.9.9:80")
	f.Add(segment(wire.Guest, 4000, to, header.TCPFlagSyn), datagram(wire.Guest, 4000, to, "data"))
	f.Add(datagram(wire.Guest, 4000, netip.AddrPortFrom(wire.DNS, 53), "question"), segment(wire.Guest, 1, to, header.TCPFlagAck))
	f.Add(ip(wire.Guest, wire.Gateway, header.ICMPv4ProtocolNumber, 8), []byte{0x60})
	six := make([]byte, solicitSize)
	header.IPv6(six).Encode(&header.IPv6Fields{TransportProtocol: header.ICMPv6ProtocolNumber, PayloadLength: 24, SrcAddr: guestAddress6})
	six[header.IPv6MinimumSize] = byte(header.ICMPv6NeighborSolicit)
	f.Add(six, six[:header.IPv6MinimumSize])
	g, err := newGateway(cable{}, Config{Policy: core.Egress{}})
	if err != nil {
		f.Fatal(err)
	}
	g.dns = newResolvers(filepath.Join(os.DevNull, "none"), 53)
	f.Cleanup(g.close)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, b := range [][]byte{first, second} {
			frame := buffer.NewViewSize(header.EthernetMinimumSize + min(len(b), mtu))
			proto := header.IPv4ProtocolNumber
			if len(b) > 0 && b[0]>>4 == 6 {
				proto = header.IPv6ProtocolNumber
			}
			header.Ethernet(frame.AsSlice()).Encode(&header.EthernetFields{SrcAddr: guestMAC, DstAddr: gatewayMAC, Type: proto})
			p := frame.AsSlice()[header.EthernetMinimumSize:]
			copy(p, b)
			fence(p)
			g.link.deliver(frame)
		}
		if n := len(g.udp.table) + len(g.out); n != 0 {
			t.Errorf("%d ways out of a machine that may go nowhere", n)
		}
	})
}

// fence keeps a packet's source the guest's and its destination from the internet, to which no test may send.
func fence(p []byte) {
	if len(p) >= header.IPv4MinimumSize && p[0]>>4 == 4 {
		copy(p[12:], wire.Guest.AsSlice())
		p[16] = 10
	}
	if len(p) >= header.IPv6MinimumSize && p[0]>>4 == 6 {
		copy(p[8:], wire.Guest6.AsSlice())
		p[24] = 0xfd
	}
}

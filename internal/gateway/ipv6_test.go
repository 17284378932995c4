package gateway

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// TestOut6: TCP and UDP of IPv6 reach what a rule allows, and come back.
func TestOut6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go echo(l)
	to, rule := gatewayPort(l.Addr())
	server, err := net.ListenPacket("udp6", rule)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m := startMachine(t, rule)
	want := randomBytes(100_000)
	c := m.mustDial(to)
	go say(c, want)
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
		t.Errorf("TCP: got %d bytes back, %v", len(got), err)
	}
	u, _ := m.dialUDP(to)
	if _, err := u.Write(want[:1000]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 2000)
	deadline(t, server, 10*time.Second)
	n, from, err := server.ReadFrom(b)
	if err != nil || !bytes.Equal(b[:n], want[:1000]) {
		t.Fatalf("UDP: the server got %d bytes, %v", n, err)
	}
	if _, err := server.WriteTo([]byte("back"), from); err != nil {
		t.Fatal(err)
	}
	deadline(t, u, 10*time.Second)
	if n, err := u.Read(b); err != nil || string(b[:n]) != "back" {
		t.Errorf("UDP: got %q back, %v", b[:n], err)
	}
}

// TestAttackIPv6: an app goes around the policy by IPv6: to the host's loopback, to its link, and by addresses that
// carry an IPv4 address. Each is refused at once, and told.
func TestAttackIPv6(t *testing.T) {
	m := startMachine(t)
	want := map[string]string{}
	for _, s := range []string{
		"[fd00::1]:80", "[2002:7f00:1::]:80", "[64:ff9b::7f00:1]:80", "[2001:0:7f00:1::]:80", "[2001:db8::1]:80", "[fd67:6974:6402::2]:80",
	} {
		want[strings.Replace(s, wire.Gateway6.String(), "::1", 1)] = s
	}
	for _, s := range want {
		if _, err := m.dial(netip.MustParseAddrPort(s)); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: the guest sees %v, want a refused connection", s, err)
		}
	}
	for len(want) > 0 {
		r := m.nextRefused()
		if want[r.Addr.String()] == "" {
			t.Fatalf("told: %+v", r)
		}
		delete(want, r.Addr.String())
	}
}

// TestAttackSpoofed6: guest root sends as somebody else, as a router, or with headers before the transport's. Nothing
// of it goes on to the stack.
func TestAttackSpoofed6(t *testing.T) {
	somewhere := netip.MustParseAddr("2606:4700::1111")
	for _, c := range []struct {
		from, to netip.Addr
		proto    tcpip.TransportProtocolNumber
		kind     header.ICMPv6Type
		want     bool
	}{
		{wire.Guest6, somewhere, header.TCPProtocolNumber, 0, true},
		{wire.Guest6, wire.Gateway6, header.ICMPv6ProtocolNumber, header.ICMPv6EchoRequest, true},
		{wire.Guest6, somewhere, header.ICMPv6ProtocolNumber, header.ICMPv6EchoRequest, false},
		{wire.Guest6, wire.Gateway6, header.ICMPv6ProtocolNumber, header.ICMPv6RouterAdvert, false},
		{wire.Guest6, wire.Gateway6, header.ICMPv6ProtocolNumber, header.ICMPv6NeighborAdvert, false},
		{wire.Guest6, wire.Gateway6, header.ICMPv6ProtocolNumber, header.ICMPv6RedirectMsg, false},
		{wire.Gateway6, somewhere, header.TCPProtocolNumber, 0, false},
		{netip.MustParseAddr("fe80::1"), somewhere, header.TCPProtocolNumber, 0, false},
		{wire.Guest6, netip.MustParseAddr("::ffff:10.0.0.1"), header.TCPProtocolNumber, 0, false},
		{wire.Guest6, somewhere, tcpip.TransportProtocolNumber(header.IPv6RoutingExtHdrIdentifier), 0, false},
		{wire.Guest6, somewhere, tcpip.TransportProtocolNumber(header.IPv6FragmentExtHdrIdentifier), 0, false},
	} {
		b := make([]byte, header.IPv6MinimumSize+40)
		header.IPv6(b).Encode(&header.IPv6Fields{
			PayloadLength: 40, TransportProtocol: c.proto, HopLimit: 64,
			SrcAddr: tcpip.AddrFromSlice(c.from.AsSlice()), DstAddr: tcpip.AddrFrom16(c.to.As16()),
		})
		b[header.IPv6MinimumSize] = byte(c.kind)
		if isGuests6(b) != c.want {
			t.Errorf("from %s to %s, protocol %d, type %d goes on: %v", c.from, c.to, c.proto, c.kind, !c.want)
		}
	}
}

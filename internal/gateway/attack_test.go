package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// segment makes a packet of TCP as a guest with root can: no stack of the guest knows of it.
func segment(from netip.Addr, port uint16, to netip.AddrPort, flags header.TCPFlags) []byte {
	b := ip(from, to.Addr(), header.TCPProtocolNumber, header.TCPMinimumSize)
	header.TCP(b[header.IPv4MinimumSize:]).Encode(&header.TCPFields{
		SrcPort: port, DstPort: to.Port(), SeqNum: 1, DataOffset: header.TCPMinimumSize, Flags: flags, WindowSize: 65535,
	})
	return b
}

// datagram makes a packet of UDP.
func datagram(from netip.Addr, port uint16, to netip.AddrPort, data string) []byte {
	b := ip(from, to.Addr(), header.UDPProtocolNumber, header.UDPMinimumSize+len(data))
	copy(b[header.IPv4MinimumSize+header.UDPMinimumSize:], data)
	header.UDP(b[header.IPv4MinimumSize:]).Encode(&header.UDPFields{
		SrcPort: port, DstPort: to.Port(), Length: uint16(header.UDPMinimumSize + len(data)),
	})
	return b
}

// ip makes an IPv4 packet with room for so many bytes.
func ip(from, to netip.Addr, proto tcpip.TransportProtocolNumber, size int) []byte {
	b := make([]byte, header.IPv4MinimumSize+size)
	header.IPv4(b).Encode(&header.IPv4Fields{
		TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(proto),
		SrcAddr: tcpip.AddrFromSlice(from.AsSlice()), DstAddr: tcpip.AddrFromSlice(to.AsSlice()),
	})
	return b
}

// settled waits until the gateway has taken all that was sent before.
func (m *machine) settled() {
	m.t.Helper()
	m.askARP(wire.Gateway, wire.Guest)
	select {
	case <-m.frames:
	case <-time.After(20 * time.Second):
		m.t.Fatal("the gateway does not answer any more")
	}
}

// askARP asks who has an address.
func (m *machine) askARP(target, sender netip.Addr) {
	ask := header.ARP(make([]byte, header.ARPSize))
	ask.SetIPv4OverEthernet()
	ask.SetOp(header.ARPRequest)
	copy(ask.HardwareAddressSender(), guestMAC)
	copy(ask.ProtocolAddressSender(), sender.AsSlice())
	copy(ask.ProtocolAddressTarget(), target.AsSlice())
	m.send(header.ARPProtocolNumber, ask)
}

// heap is what is in use after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// TestAttackSYNFlood: guest root asks for 10,000 connections and completes none, with a server that the policy allows
// and with one that it refuses. The gateway has no more goroutines than connections in the making, each of which may
// have two: the dialler has one of its own.
func TestAttackSYNFlood(t *testing.T) {
	l := listen(t)
	to, rule := gatewayPort(l.Addr())
	m := startMachine(t, rule)
	before := runtime.NumGoroutine()
	most := 0
	for i := range 10_000 {
		m.send(header.IPv4ProtocolNumber, segment(wire.Guest, uint16(1024+i), to, header.TCPFlagSyn))
		m.send(header.IPv4ProtocolNumber, segment(wire.Guest, uint16(1024+i), netip.MustParseAddrPort("10.9.9.9:80"), header.TCPFlagSyn))
		if i%1000 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
	}
	m.settled()
	if most > 2*maxDialling+50 {
		t.Errorf("%d goroutines", most)
	}
	if r := m.nextRefused(); r.Addr.String() != "10.9.9.9:80" {
		t.Errorf("told: %+v", r)
	}
}

// TestAttackNeverReads: an app asks servers for all that they have and never reads. What is kept for it is bounded, and
// by less for each one when there are many.
func TestAttackNeverReads(t *testing.T) {
	l := listen(t)
	to, rule := gatewayPort(l.Addr())
	m := startMachine(t, rule)
	before := heap()
	stuck := make(chan error)
	go func() {
		data := make([]byte, 1<<20)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { <-t.Context().Done(); c.Close() }()
				var err error
				for err == nil { // until nothing more fits
					if err = c.SetWriteDeadline(time.Now().Add(time.Second)); err == nil {
						_, err = c.Write(data)
					}
				}
				stuck <- err
			}()
		}
	}()
	const conns = 4 * crowd
	for range conns {
		m.mustDial(to)
	}
	for range conns {
		if err := <-stuck; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a server's write ended with %v", err)
		}
	}
	// What the gateway keeps, and as much of the guest, which here is in the same process.
	if kept := heap() - before; kept > 2*(crowd*maxBuffer+conns*4*crowdBuffer) {
		t.Errorf("%d bytes are kept for a connection", kept/conns)
	}
}

// TestAttackUDPFlood: guest root sends datagrams to 4,000 ports. There are as many sockets as there may be flows, and
// the newest works.
func TestAttackUDPFlood(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	m := startMachine(t, "127.0.0.1")
	before, most := runtime.NumGoroutine(), 0
	for i := range 4_000 {
		m.send(header.IPv4ProtocolNumber, datagram(wire.Guest, 4000, netip.AddrPortFrom(wire.Gateway, uint16(10_000+i)), "x"))
		if i%500 == 0 {
			most = max(most, runtime.NumGoroutine()-before)
		}
	}
	m.settled()
	to, _ := gatewayPort(server.LocalAddr())
	m.send(header.IPv4ProtocolNumber, datagram(wire.Guest, 5000, to, "the newest"))
	b := make([]byte, 100)
	for string(b[:10]) != "the newest" {
		deadline(t, server, 20*time.Second)
		if _, _, err := server.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
	}
	if most > maxFlows+endingFlows+20 {
		t.Errorf("%d goroutines", most)
	}
}

// TestAttackSpoofed: guest root sends as somebody else, to be taken for another machine or to make the gateway keep
// answers to nobody. Only what comes from the guest's own address goes on.
func TestAttackSpoofed(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	to, rule := gatewayPort(server.LocalAddr())
	m := startMachine(t, rule)
	for _, from := range []string{"10.0.2.16", "10.0.2.2", "127.0.0.1", "8.8.8.8", "0.0.0.0", "255.255.255.255", "224.0.0.1"} {
		m.send(header.IPv4ProtocolNumber, datagram(netip.MustParseAddr(from), 4000, to, "from "+from))
		m.askARP(wire.Gateway, netip.MustParseAddr(from))
	}
	m.askARP(wire.Guest, wire.Guest) // whether somebody else has its address
	m.settled()
	if len(m.frames) != 0 {
		t.Errorf("ARP of others was answered %d times", len(m.frames))
	}
	m.send(header.IPv4ProtocolNumber, datagram(wire.Guest, 4000, to, "its own"))
	deadline(t, server, 20*time.Second)
	b := make([]byte, 100)
	n, _, err := server.ReadFrom(b)
	if err != nil || string(b[:n]) != "its own" {
		t.Errorf("the server got %q first, %v", b[:n], err)
	}
}

// TestAttackFrames: guest root sends frames of every length that QEMU carries, with nothing sensible in them, and
// packets whose headers lie. The gateway drops them and goes on.
func TestAttackFrames(t *testing.T) {
	m := startMachine(t)
	for _, n := range []int{0, 1, 13, 14, 15, 33, 34, 60, maxFrame, maxFrame + 1, maxQEMU} {
		for _, proto := range []uint16{0, 0x0800, 0x0806, 0x86dd, 0x8100, 0xffff} {
			frame := append(binary.BigEndian.AppendUint32(nil, uint32(n)), make([]byte, n)...)
			if n >= header.EthernetMinimumSize {
				binary.BigEndian.PutUint16(frame[prefixSize+12:], proto)
			}
			m.sendRaw(frame)
		}
	}
	to := netip.MustParseAddrPort("10.9.9.9:80")
	for _, lie := range []func(header.IPv4){
		func(h header.IPv4) { h.SetHeaderLength(60) },
		func(h header.IPv4) { h[0] = 0x40 },
		func(h header.IPv4) { h[0] = 0x60 },
		func(h header.IPv4) { h.SetTotalLength(0) },
		func(h header.IPv4) { h.SetTotalLength(65535) },
		func(h header.IPv4) { h[12+header.IPv4MinimumSize] = 0xf0 }, // TCP's header is longer than the packet
	} {
		b := segment(wire.Guest, 4000, to, header.TCPFlagSyn)
		lie(b)
		m.send(header.IPv4ProtocolNumber, b)
	}
	m.settled()
}

// TestAttackLength: whoever has taken QEMU over announces a frame of 4 GiB. Nothing is reserved for it, and the network
// ends.
func TestAttackLength(t *testing.T) {
	ours, theirs := net.Pipe()
	ended := make(chan error)
	go func() { ended <- Run(t.Context(), ours, Doors{}, Config{}) }()
	if _, err := theirs.Write([]byte{0xff, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "not QEMU") {
		t.Errorf("ended with %v", err)
	}
}

// TestAttackFragments: guest root sends 11 MB of pieces of packets that are never complete. A few megabytes are kept.
func TestAttackFragments(t *testing.T) {
	m := startMachine(t)
	before := heap()
	b := ip(wire.Guest, netip.MustParseAddr("10.9.9.9"), header.UDPProtocolNumber, 1400)
	for i := range 8_000 {
		header.IPv4(b).Encode(&header.IPv4Fields{
			TotalLength: uint16(len(b)), TTL: 64, Protocol: uint8(header.UDPProtocolNumber), ID: uint16(i),
			Flags: header.IPv4FlagMoreFragments, SrcAddr: guestAddress, DstAddr: tcpip.AddrFrom4([4]byte{10, 9, 9, 9}),
		})
		m.send(header.IPv4ProtocolNumber, b)
	}
	m.settled()
	if kept := heap() - before; kept > 8<<20 {
		t.Errorf("%d bytes are kept", kept)
	}
}

// TestAttackConnections: an app opens connections without end. There is a last one.
func TestAttackConnections(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	g, err := newGateway(ours, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	n := 0
	for g.add(newConn(context.Background(), unlimited)) {
		n++
	}
	if n != maxConnsOut {
		t.Errorf("%d connections", n)
	}
}

// TestAttackRefusals: guest root tries all the ports of the world, so that gitd's log fills. Few are told.
func TestAttackRefusals(t *testing.T) {
	m := startMachine(t)
	start := time.Now()
	for i := range 3_000 {
		to := netip.AddrPortFrom(netip.MustParseAddr("10.9.9.9"), uint16(i+1))
		m.send(header.IPv4ProtocolNumber, segment(wire.Guest, 4000, to, header.TCPFlagSyn))
	}
	m.settled()
	m.nextRefused()
	if n, took := len(m.refused), time.Since(start); n > wire.MaxRefusals*(2+int(took.Seconds())) {
		t.Errorf("%d reports in %v", n, took)
	}
}

// TestAttackPing: guest root looks for hosts with echoes. The gateway answers for itself alone.
func TestAttackPing(t *testing.T) {
	for _, c := range []struct {
		to   string
		want bool
	}{{"10.0.2.2", true}, {"10.0.2.3", true}, {"8.8.8.8", false}, {"10.9.9.9", false}, {"224.0.0.1", false}, {"10.0.2.255", false}} {
		b := ip(wire.Guest, netip.MustParseAddr(c.to), header.ICMPv4ProtocolNumber, header.ICMPv4MinimumSize)
		header.ICMPv4(b[header.IPv4MinimumSize:]).SetType(header.ICMPv4Echo)
		if isGuests4(b) != c.want {
			t.Errorf("an echo to %s goes on: %v", c.to, !c.want)
		}
	}
}

// TestAttackForms: an app names an address that is closed in every form that leads there, and takes an operator's rule
// for more than it says.
func TestAttackForms(t *testing.T) {
	p := newPolicy(egress(t, "10.0.0.0/8", "[fd00::]/8", "[2000::]/7", "[::]/7", "169.0.0.0/8", "0.0.0.0/8", "224.0.0.0/8"))
	for _, s := range []string{
		"127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "[::127.0.0.1]:80", "0.0.0.0:80", "[::]:80", "[::ffff:0.0.0.0]:80",
		"169.254.169.254:80", "[::ffff:169.254.169.254]:80", "[fe80::1]:80", "192.168.0.1:80", "[::ffff:192.168.0.1]:80",
		"[2002:c0a8:1::]:80", "[2002:7f00:1::1]:80", "[64:ff9b::7f00:1]:80", "[64:ff9b::a9fe:a9fe]:80", "[2001:0:7f00:1::]:80",
		"224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80", "100.64.0.1:80", "198.18.0.1:80", "203.0.113.1:80", "[2001:db8::1]:80",
	} {
		if p.check(netip.MustParseAddrPort(s)) == nil {
			t.Errorf("%s is allowed", s)
		}
	}
	for _, s := range []string{"1.1.1.1:443", "[2606:4700::1111]:443", "10.1.2.3:5432", "[::ffff:10.1.2.3]:5432", "[fd12::1]:80"} {
		if err := p.check(netip.MustParseAddrPort(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own { // a rule of one address opens it, and none of a range does
		ip := netip.MustParsePrefix(a.String()).Addr()
		if p := newPolicy(core.Egress{}); p.check(netip.AddrPortFrom(ip, 22)) == nil {
			t.Errorf("this host's own %s is allowed", ip)
		}
		if wide, err := ip.Prefix(ip.BitLen() - 8); err == nil && !ip.IsLoopback() {
			if newPolicy(core.Egress{Rules: []core.EgressRule{{Range: wide}}}).check(netip.AddrPortFrom(ip, 22)) == nil {
				t.Errorf("this host's own %s is allowed by %s", ip, wide)
			}
		}
		if ip.IsLinkLocalUnicast() {
			continue
		}
		exact := core.EgressRule{Range: netip.PrefixFrom(ip, ip.BitLen()), Port: 22}
		if err := newPolicy(core.Egress{Rules: []core.EgressRule{exact}}).check(netip.AddrPortFrom(ip, 22)); err != nil {
			t.Errorf("with its rule: %s: %v", ip, err)
		}
	}
}

// TestRate: what the guest sends to the world has a limit, once it has used up what it may send at once.
func TestRate(t *testing.T) {
	l := listen(t)
	to, rule := gatewayPort(l.Addr())
	m := startMachine(t)
	e := egress(t, rule)
	e.Rate = 256 << 10
	if err := m.watch.SetPolicy(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	c := m.mustDial(to)
	go say(c, make([]byte, 1<<20))
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	start := time.Now()
	if _, err := io.ReadFull(in, make([]byte, 768<<10)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 1500*time.Millisecond {
		t.Errorf("768 KiB with a limit of 256 KiB a second took %v", took)
	}
}

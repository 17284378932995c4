package gateway

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// How long a flow is kept after its last datagram.
const (
	flowTime     = 60 * time.Second
	questionTime = 10 * time.Second // of DNS
)

// datagrams are buffers for the longest datagram.
var datagrams = newPool(64 << 10)

// flowKey names what belongs together: a port of the guest and a destination.
type flowKey struct {
	port uint16
	dst  netip.AddrPort
}

// flow is a socket of this host for datagrams of the guest to one destination.
type flow struct {
	destination

	key      flowKey
	world    *net.UDPConn
	route    *stack.Route
	last     atomic.Int64 // when a datagram went through, in nanoseconds
	answered atomic.Bool
}

// flows are what the guest sends UDP to. UDP has no end, so that a table which is full gives up the flow that was
// silent longest.
type flows struct {
	gateway *gateway
	mu      sync.Mutex
	table   map[flowKey]*flow
	live    int // those in the table, and those that end
}

// handle takes each datagram of the guest, on the goroutine that reads from QEMU. False: the guest is told that nobody
// is there.
func (fs *flows) handle(id stack.TransportEndpointID, pkt *stack.PacketBuffer) bool {
	key, data := flowKey{id.RemotePort, netip.AddrPortFrom(addrOf(id.LocalAddress), id.LocalPort)}, pkt.Data().AsRange().ToSlice()
	if key.dst == dnsServer && fs.answerOurs(key, id, data) {
		return true
	}
	f, err := fs.find(key, id)
	if err != nil {
		return false
	}
	if !fs.gateway.policy.datagrams.AllowN(time.Now(), len(data)) {
		return true // lost, as on a full cable
	}
	f.last.Store(time.Now().UnixNano())
	f.world.Write(data) //nolint:errcheck // a datagram may be lost; what the world says of it comes with the next read
	return true
}

// errTooFast is that the guest makes flows faster than this host ends the oldest.
var errTooFast = errors.New("too many flows end")

func (fs *flows) find(key flowKey, id stack.TransportEndpointID) (*flow, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.table[key]; f != nil {
		return f, nil
	}
	if fs.live >= maxFlows+endingFlows {
		return nil, errTooFast
	}
	f, err := fs.open(key, id)
	if err != nil {
		return nil, err
	}
	if len(fs.table) >= maxFlows {
		fs.endOldest()
	}
	fs.table[key] = f
	fs.live++
	go fs.serve(f)
	return f, nil
}

func (fs *flows) open(key flowKey, id stack.TransportEndpointID) (*flow, error) {
	d, err := fs.gateway.find("udp", key.dst)
	if err != nil {
		return nil, err
	}
	route, err := fs.routeBack(key, id)
	if err != nil {
		return nil, err
	}
	world, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(d.target))
	if err != nil {
		route.Release()
		return nil, err
	}
	f := &flow{key: key, destination: d, world: world, route: route}
	f.last.Store(time.Now().UnixNano())
	return f, nil
}

func (fs *flows) routeBack(key flowKey, id stack.TransportEndpointID) (*stack.Route, error) {
	route, terr := fs.gateway.stack.FindRoute(nic, id.LocalAddress, id.RemoteAddress, protocolOf(key.dst.Addr()), false)
	return route, fail("find the way back", terr)
}

// answerOurs answers a question for a name of ours, and reports whether it was one. A guest that asks without end is
// slowed down as with other datagrams.
func (fs *flows) answerOurs(key flowKey, id stack.TransportEndpointID, question []byte) bool {
	answer := fs.gateway.answerName(question)
	if answer == nil {
		return false
	}
	if !fs.gateway.policy.datagrams.AllowN(time.Now(), len(question)) {
		return true
	}
	route, err := fs.routeBack(key, id)
	if err != nil {
		return true
	}
	defer route.Release()
	sendDatagram(route, key, answer) //nolint:errcheck // a datagram may be lost
	return true
}

// endOldest ends the flow that was silent longest; fs.mu is held.
func (fs *flows) endOldest() {
	var oldest *flow
	for _, f := range fs.table {
		if oldest == nil || f.last.Load() < oldest.last.Load() {
			oldest = f
		}
	}
	delete(fs.table, oldest.key)
	oldest.world.Close() // serve releases the rest
}

// cut ends the flows that choose chooses.
func (fs *flows) cut(choose func(*flow) bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for key, f := range fs.table {
		if choose(f) {
			delete(fs.table, key)
			f.world.Close()
		}
	}
}

// serve carries the answers of one flow to the guest until it ends.
func (fs *flows) serve(f *flow) {
	err := fs.answers(f)
	if f.dns && !f.answered.Load() && !errors.Is(err, net.ErrClosed) {
		fs.gateway.dns.failed(f.target)
	}
	f.world.Close()
	f.route.Release()
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.table[f.key] == f {
		delete(fs.table, f.key)
	}
	fs.live--
}

func (fs *flows) answers(f *flow) error {
	raw, err := f.world.SyscallConn()
	if err != nil {
		return err
	}
	for {
		left := f.left()
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		if err := f.world.SetReadDeadline(time.Now().Add(left)); err != nil {
			return err
		}
		for err = nil; err == nil; {
			err = f.answer(raw)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) && (f.dns || !errors.Is(err, syscall.ECONNREFUSED)) {
			return err
		}
	}
}

// left is how long the flow is kept if nothing more comes.
func (f *flow) left() time.Duration {
	keep := flowTime
	if f.dns {
		keep = questionTime
	}
	return keep - time.Since(time.Unix(0, f.last.Load()))
}

// answer carries one datagram to the guest.
func (f *flow) answer(raw syscall.RawConn) error {
	buf, n, err := datagrams.read(raw)
	defer func() { datagrams.put(buf) }()
	if err != nil {
		return err
	}
	f.last.Store(time.Now().UnixNano())
	f.answered.Store(true)
	return sendDatagram(f.route, f.key, (*buf)[:n])
}

// sendDatagram makes a datagram of the destination of key to the guest.
func sendDatagram(route *stack.Route, key flowKey, data []byte) error {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.UDPMinimumSize + int(route.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(data),
	})
	defer pkt.DecRef()
	h := header.UDP(pkt.TransportHeader().Push(header.UDPMinimumSize))
	pkt.TransportProtocolNumber = header.UDPProtocolNumber
	size := uint16(pkt.Size())
	h.Encode(&header.UDPFields{SrcPort: key.dst.Port(), DstPort: key.port, Length: size})
	sum := checksum.Combine(route.PseudoHeaderChecksum(header.UDPProtocolNumber, size), pkt.Data().Checksum())
	h.SetChecksum(^h.CalculateChecksum(sum))
	params := stack.NetworkHeaderParams{Protocol: header.UDPProtocolNumber, TTL: route.DefaultTTL()}
	if terr := route.WritePacket(params, pkt); terr != nil {
		if _, is := terr.(*tcpip.ErrClosedForSend); is {
			return fail("answer the guest", terr)
		}
	}
	return nil
}

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
	key      flowKey
	dns      bool
	target   netip.AddrPort
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
	f, err := fs.find(flowKey{id.RemotePort, netip.AddrPortFrom(addrOf(id.LocalAddress), id.LocalPort)}, id)
	if err != nil {
		return false
	}
	data := pkt.Data().AsRange().ToSlice()
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
	target, dns, err := fs.gateway.target("udp", key.dst)
	if err != nil {
		return nil, err
	}
	route, terr := fs.gateway.stack.FindRoute(nic, id.LocalAddress, id.RemoteAddress, protocolOf(key.dst.Addr()), false)
	if terr != nil {
		return nil, fail("find the way back", terr)
	}
	world, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(target))
	if err != nil {
		route.Release()
		return nil, err
	}
	f := &flow{key: key, dns: dns, target: target, world: world, route: route}
	f.last.Store(time.Now().UnixNano())
	return f, nil
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
	return f.send((*buf)[:n])
}

// send makes a datagram of the destination to the guest.
func (f *flow) send(data []byte) error {
	pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{
		ReserveHeaderBytes: header.UDPMinimumSize + int(f.route.MaxHeaderLength()),
		Payload:            buffer.MakeWithData(data),
	})
	defer pkt.DecRef()
	h := header.UDP(pkt.TransportHeader().Push(header.UDPMinimumSize))
	pkt.TransportProtocolNumber = header.UDPProtocolNumber
	size := uint16(pkt.Size())
	h.Encode(&header.UDPFields{SrcPort: f.key.dst.Port(), DstPort: f.key.port, Length: size})
	sum := checksum.Combine(f.route.PseudoHeaderChecksum(header.UDPProtocolNumber, size), pkt.Data().Checksum())
	h.SetChecksum(^h.CalculateChecksum(sum))
	params := stack.NetworkHeaderParams{Protocol: header.UDPProtocolNumber, TTL: f.route.DefaultTTL()}
	if terr := f.route.WritePacket(params, pkt); terr != nil {
		if _, is := terr.(*tcpip.ErrClosedForSend); is {
			return fail("answer the guest", terr)
		}
	}
	return nil
}

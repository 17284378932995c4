package gateway

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

const (
	mtu      = wire.MTU
	maxFrame = mtu + header.EthernetMinimumSize
	// maxQEMU is the longest frame that QEMU carries (NET_BUFSIZE). What is announced as longer is not from QEMU.
	maxQEMU    = 4096 + 65536
	prefixSize = 4 // a frame's length
	// maxPending is what waits for a QEMU that does not read, because its guest does not. What comes then is lost, as
	// on a full cable.
	maxPending = 256 << 10
)

// gatewayMAC is whose the address is that the guest sends to: slirp's.
const gatewayMAC = tcpip.LinkAddress("\x52\x55\x0a\x00\x02\x02")

// guestMAC is QEMU's default, until the guest has shown its own.
const guestMAC = tcpip.LinkAddress("\x52\x54\x00\x12\x34\x56")

// link is the cable between the guest and the stack. The guest is the only neighbour: its address is that of its last
// frame, so that there is no table of neighbours which it could fill.
type link struct {
	frames io.ReadWriteCloser
	guest  atomic.Value // tcpip.LinkAddress

	mu         sync.Mutex
	dispatcher stack.NetworkDispatcher
	pending    []byte // whole frames that nobody writes yet
	spare      []byte
	writing    bool
	broken     bool
}

var _ stack.LinkEndpoint = (*link)(nil)

func newLink(frames io.ReadWriteCloser) *link {
	l := &link{frames: frames}
	l.guest.Store(guestMAC)
	return l
}

// read hands the guest's frames to the stack until QEMU closes.
func (l *link) read() error {
	r := bufio.NewReaderSize(l.frames, 64<<10)
	var size [prefixSize]byte
	for {
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return closedIsEOF(err)
		}
		n := int(binary.BigEndian.Uint32(size[:]))
		switch {
		case n > maxQEMU || n < 0:
			return fmt.Errorf("a frame of %d bytes is announced: this is not QEMU", n)
		case n < header.EthernetMinimumSize || n > maxFrame:
			if _, err := r.Discard(n); err != nil {
				return closedIsEOF(err)
			}
			continue
		}
		frame := buffer.NewViewSize(n)
		if _, err := io.ReadFull(r, frame.AsSlice()); err != nil {
			frame.Release()
			return closedIsEOF(err)
		}
		l.deliver(frame)
	}
}

func closedIsEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) {
		return io.EOF
	}
	return fmt.Errorf("read from QEMU: %w", err)
}

// deliver takes one frame, which is at least a header.
func (l *link) deliver(frame *buffer.View) {
	eth := header.Ethernet(frame.AsSlice())
	proto := eth.Type()
	if known := l.guest.Load().(tcpip.LinkAddress); string(eth[6:12]) != string(known) {
		l.meet(eth.SourceAddress())
	}
	frame.TrimFront(header.EthernetMinimumSize)
	l.mu.Lock()
	d := l.dispatcher
	l.mu.Unlock()
	switch b := frame.AsSlice(); {
	case proto == header.ARPProtocolNumber:
		l.answerARP(b)
	case proto == header.IPv6ProtocolNumber && isSolicit(b):
		l.answerSolicit(b)
	case d != nil && (proto == header.IPv4ProtocolNumber && isGuests4(b) || proto == header.IPv6ProtocolNumber && isGuests6(b)):
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithView(frame)})
		d.DeliverNetworkPacket(proto, pkt)
		pkt.DecRef()
		return // the packet has released the frame
	}
	frame.Release()
}

// meet notes the guest's address.
func (l *link) meet(from tcpip.LinkAddress) {
	if header.IsValidUnicastEthernetAddress(from) {
		l.guest.Store(from)
	}
}

// WritePackets sends packets to the guest. Whoever finds nobody writing writes everything that waits, also what others
// add meanwhile: so many small packets are one call to the kernel, without a goroutine between.
func (l *link) WritePackets(pkts stack.PacketBufferList) (int, tcpip.Error) {
	l.mu.Lock()
	n := 0
	for _, pkt := range pkts.AsSlice() {
		if !l.append(pkt.NetworkProtocolNumber, pkt.Size(), pkt.AsSlices()...) {
			break
		}
		n++
	}
	l.flush()
	return n, nil
}

// append adds a frame to those that wait; l.mu is held.
func (l *link) append(proto tcpip.NetworkProtocolNumber, size int, parts ...[]byte) bool {
	n := header.EthernetMinimumSize + size
	if l.broken || len(l.pending)+prefixSize+n > maxPending {
		return false
	}
	b := binary.BigEndian.AppendUint32(l.pending, uint32(n))
	b = append(b, l.guest.Load().(tcpip.LinkAddress)...)
	b = append(b, gatewayMAC...)
	b = binary.BigEndian.AppendUint16(b, uint16(proto))
	for _, p := range parts {
		b = append(b, p...)
	}
	l.pending = b
	return true
}

// flush writes what waits, unless somebody does already; l.mu is held, and is not afterwards.
func (l *link) flush() {
	defer l.mu.Unlock()
	if l.writing {
		return
	}
	l.writing = true
	for len(l.pending) > 0 && !l.broken {
		batch := l.pending
		l.pending = l.spare[:0]
		l.mu.Unlock()
		_, err := l.frames.Write(batch)
		l.mu.Lock()
		l.spare = batch
		l.broken = err != nil // the reader sees it too, and says so
	}
	l.writing = false
}

// Attach is called with nil when the stack ends.
func (l *link) Attach(d stack.NetworkDispatcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dispatcher = d
}

// IsAttached implements stack.LinkEndpoint.
func (l *link) IsAttached() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dispatcher != nil
}

// MTU implements stack.LinkEndpoint.
func (*link) MTU() uint32 { return mtu }

// Capabilities says that nothing is damaged on the way from the guest: the cable is this host's memory.
func (*link) Capabilities() stack.LinkEndpointCapabilities { return stack.CapabilityRXChecksumOffload }

// GSOMaxSize is how much TCP hands down at once; the stack divides it before the link.
func (*link) GSOMaxSize() uint32 { return 32 << 10 }

// SupportedGSO implements stack.GSOEndpoint.
func (*link) SupportedGSO() stack.SupportedGSO { return stack.GVisorGSOSupported }

// LinkAddress implements stack.LinkEndpoint.
func (*link) LinkAddress() tcpip.LinkAddress { return gatewayMAC }

// What the interface has beside that: the header of a frame is written by append, and Run closes frames.

// SetMTU implements stack.LinkEndpoint.
func (*link) SetMTU(uint32) {}

// SetLinkAddress implements stack.LinkEndpoint.
func (*link) SetLinkAddress(tcpip.LinkAddress) {}

// MaxHeaderLength implements stack.LinkEndpoint.
func (*link) MaxHeaderLength() uint16 { return 0 }

// Wait implements stack.LinkEndpoint.
func (*link) Wait() {}

// ARPHardwareType implements stack.LinkEndpoint.
func (*link) ARPHardwareType() header.ARPHardwareType { return header.ARPHardwareEther }

// AddHeader implements stack.LinkEndpoint.
func (*link) AddHeader(*stack.PacketBuffer) {}

// ParseHeader implements stack.LinkEndpoint.
func (*link) ParseHeader(*stack.PacketBuffer) bool { return true }

// Close implements stack.LinkEndpoint.
func (*link) Close() {}

// SetOnCloseAction implements stack.LinkEndpoint.
func (*link) SetOnCloseAction(func()) {}

package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// pacer connects to one machine, never faster than its port accepts.
//
// QEMU's user-mode network listens with a backlog of 1 (libslirp, tcpx_listen) and accepts one connection at a time.
// When several come together, the kernel drops those after the second: they wait a second or more for TCP's retry, and
// those that send much at once are reset. The front door is the only client of that port, so it asks the kernel before
// each connection how many wait there. Every process may ask that (sock_diag, as ss does).
//
// Rejected: to lengthen the queue on QEMU's own socket (pidfd_getfd). That needs CAP_SYS_PTRACE, which a container does
// not have, and an ordinary user cannot have.
type pacer struct {
	dialer net.Dialer
	limit  time.Duration // bounds the wait for room
	turn   chan struct{} // holds one: who connects, or waits for room
}

func newPacer(limit time.Duration) *pacer {
	return &pacer{dialer: net.Dialer{Timeout: dialLimit}, limit: limit, turn: make(chan struct{}, 1)}
}

// DialContext is the DialContext of an http.Transport. Its errors have net.OpError's Op "dial": nothing was sent.
func (p *pacer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	port, err := netip.ParseAddrPort(addr)
	if err != nil || !port.Addr().Is4() || !port.Addr().IsLoopback() {
		return p.dialer.DialContext(ctx, network, addr) // a machine with a network of its own accepts by itself
	}
	waiting, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	if err := p.await(waiting, port); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(port), Err: err}
	}
	defer func() { <-p.turn }()
	return p.dialer.DialContext(ctx, network, addr)
}

// await returns with the turn, once a connection to port would not be dropped.
func (p *pacer) await(ctx context.Context, port netip.AddrPort) error {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := roomAt(ctx, port); err != nil {
		<-p.turn
		return err
	}
	return nil
}

// roomAt waits until fewer connections wait at a port than may wait there. The kernel has no event for that, so roomAt
// asks again, and less often when nothing moves. If it cannot ask, or nothing listens, there is nothing to wait for:
// to connect will tell.
func roomAt(ctx context.Context, port netip.AddrPort) error {
	const soonest, latest = 50 * time.Microsecond, 2 * time.Millisecond
	for pause := soonest; ; pause = min(2*pause, latest) {
		q, err := queueAt(port)
		if err != nil || q.waiting < max(q.limit, 1) {
			return nil //nolint:nilerr // see above
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// queue is what waits at a port until the program that listens there accepts it.
type queue struct {
	waiting, limit uint32 // connections
}

// errNoListener says that nothing listens on a port.
var errNoListener = errors.New("nothing listens there")

// queueAt asks the kernel for the queue of an IPv4 port of this host.
func queueAt(port netip.AddrPort) (queue, error) {
	req := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, 0)
	req.AddData(listenerQuestion(port))
	answers, err := req.Execute(unix.NETLINK_INET_DIAG, 0)
	if errors.Is(err, unix.ENOENT) {
		return queue{}, errNoListener
	}
	if err != nil {
		return queue{}, fmt.Errorf("ask the kernel for the queue of port %d: %w", port.Port(), err)
	}
	if len(answers) == 0 {
		return queue{}, errNoListener
	}
	return parseQueue(answers[0])
}

// listenerQuestion is struct inet_diag_req_v2 for one socket (linux/inet_diag.h). Without the other end of a
// connection, it asks for the socket that listens.
type listenerQuestion netip.AddrPort

// Len implements nl.NetlinkRequestData.
func (listenerQuestion) Len() int { return 56 }

// Serialize implements nl.NetlinkRequestData.
func (l listenerQuestion) Serialize() []byte {
	b := make([]byte, l.Len())
	b[0], b[1] = unix.AF_INET, unix.IPPROTO_TCP
	addr := netip.AddrPort(l)
	binary.BigEndian.PutUint16(b[8:], addr.Port())
	ip := addr.Addr().As4()
	copy(b[12:], ip[:])
	binary.NativeEndian.PutUint32(b[48:], nl.TCPDIAG_NOCOOKIE)
	binary.NativeEndian.PutUint32(b[52:], nl.TCPDIAG_NOCOOKIE)
	return b
}

// parseQueue reads struct inet_diag_msg. Of a socket that listens, it has the length of the queue and its limit where
// it has the bytes in the queues of a connection.
func parseQueue(b []byte) (queue, error) {
	const tcpListen = 10
	if len(b) < 72 {
		return queue{}, fmt.Errorf("the kernel's answer about a port has %d bytes", len(b))
	}
	if b[1] != tcpListen {
		return queue{}, errNoListener
	}
	return queue{waiting: binary.NativeEndian.Uint32(b[56:]), limit: binary.NativeEndian.Uint32(b[60:])}, nil
}

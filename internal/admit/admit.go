// Package admit is what every door does with a connection before it knows who it is: it counts it by its source, and it
// goes on accepting when the host is short of something.
//
// It owns by which address a client is counted, which user is at the other end of a unix socket, how many descriptors
// the doors may use, and what an accept that fails means. It does not own the limits of a door (packages server and
// proxy).
package admit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// SourceOf is what a client is counted by: its address, and for IPv6 the network of 64 bits, of which one host can use
// every address. Of what is no address and port it is the zero Addr.
func SourceOf(addr net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return Source(ap.Addr())
}

// Source is what a client at ip is counted by, as SourceOf says.
func Source(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64) // it cannot fail: 64 bits fit an IPv6 address
		ip = p.Addr()
	}
	return ip
}

// PeerUID is the user of the process at the other end of a unix socket, as this process's user namespace names it.
func PeerUID(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var peer *syscall.Ucred
	asked := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(asked, err); err != nil {
		return 0, err
	}
	return int(peer.Uid), nil
}

// Descriptors is how many files this process may have open. Go raises the soft limit to the hard one at its start.
func Descriptors() int {
	const many = 1 << 20 // for where the limit cannot be read, or there is none
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > many {
		return many
	}
	return int(limit.Cur)
}

// The pauses after an accept that failed for want of something.
const (
	firstPause = 5 * time.Millisecond
	longPause  = time.Second
)

// Patient is a listener whose Accept fails only when it is closed, or ctx ends: what the host has too little of it has
// again later. told is called with the first such failure, and with one each tellEvery; it may be nil.
func Patient(ctx context.Context, l net.Listener, told func(error)) net.Listener {
	if told == nil {
		told = func(error) {}
	}
	return &patient{Listener: l, ctx: ctx, told: told}
}

// tellEvery is how often the log hears of an accept that fails again and again.
const tellEvery = 10 * time.Second

type patient struct {
	net.Listener
	ctx  context.Context
	told func(error)
	last time.Time // when told was called
}

// Accept implements net.Listener. One goroutine at a time may call it.
func (p *patient) Accept() (net.Conn, error) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		conn, err := p.Listener.Accept()
		if err == nil || !passing(err) {
			return conn, err
		}
		if now := time.Now(); now.Sub(p.last) > tellEvery {
			p.last = now
			p.told(err)
		}
		select {
		case <-time.After(pause):
		case <-p.ctx.Done():
			return nil, net.ErrClosed
		}
	}
}

// passing reports whether an accept failed for a reason that passes: accept(2) names them.
func passing(err error) bool {
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR, syscall.EPERM,
		syscall.EPROTO, syscall.ENETDOWN, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

package main

import (
	"bytes"
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const askLimit = 2 * time.Second

// question is the smallest request that every HTTP server answers. HEAD changes nothing.
const question = "HEAD / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: nodeos-init\r\nConnection: close\r\n\r\n"

// debugger is what Node's inspector answers to it: --inspect can have any port.
var debugger = []byte("WebSockets request was expected")

// speaksHTTP reports whether the server that listens at an address of this machine answers HTTP. It uses plain system
// calls: net.Dial would make this program a tenth larger.
func speaksHTTP(at netip.AddrPort) bool {
	fd, err := dial(localAddress(at))
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(question)); err != nil {
		return false
	}
	// A server that keeps the connection has answered nevertheless.
	var b [1 << 10]byte
	n := 0
	for until := time.Now().Add(askLimit); n < len(b) && time.Now().Before(until); {
		got, err := unix.Read(fd, b[n:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || got == 0 {
			break
		}
		n += got
	}
	return bytes.HasPrefix(b[:n], []byte("HTTP/")) && !bytes.Contains(b[:n], debugger)
}

// dial connects to an address. Connecting, and each call with the connection, ends after askLimit.
func dial(to netip.AddrPort) (fd int, err error) {
	family, address := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	if to.Addr().Is4() {
		family, address = unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	limit := unix.NsecToTimeval(int64(askLimit))
	err = errors.Join(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	if err == nil {
		err = unix.Connect(fd, address)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// localAddress is where this machine itself reaches a socket that listens at an address.
func localAddress(at netip.AddrPort) netip.AddrPort {
	switch ip := at.Addr(); ip {
	case netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	default:
		return at
	}
}

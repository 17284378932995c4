package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// mostRelayed is how many connections are carried at once. Others wait in the kernel's queue, of queueRelayed: this
	// process must not be the one that uses up the memory.
	mostRelayed, queueRelayed = 256, 511
)

// relay carries connections to a server that takes IPv6 only, to which the kernel cannot lead what comes over IPv4. It
// listens on a port of the loopback interface, to which connections are led in place of the app's: so the app can still
// open its own port.
type relay struct {
	net.Listener

	to netip.AddrPort
}

// newRelay returns a relay and the descriptor of the socket that it listens on, which is the caller's to close.
func newRelay(to netip.AddrPort) (r *relay, fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, err
	}
	// With it, as libuv's sockets have it, the app can listen on its port while connections from there are open.
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, queueRelayed))
	own, dupErr := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err = errors.Join(err, dupErr); err != nil {
		return nil, -1, errors.Join(err, unix.Close(fd))
	}
	f := os.NewFile(uintptr(own), "relay")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, -1, errors.Join(err, unix.Close(fd))
	}
	r = &relay{l, localAddress(to)}
	go r.serve()
	return r, fd, nil
}

// port is the relay's own, which is not the app's.
func (r *relay) port() uint16 { return r.Addr().(*net.TCPAddr).AddrPort().Port() }

// serve carries connections until the listener is closed.
func (r *relay) serve() {
	places := make(chan struct{}, mostRelayed)
	for {
		places <- struct{}{}
		c, err := r.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		go func() {
			defer func() { <-places }()
			if err == nil {
				r.carry(c.(*net.TCPConn))
			}
		}()
	}
}

func (r *relay) dial() (*net.TCPConn, error) {
	fd, err := dial(r.to)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "relayed")
	defer f.Close()
	c, err := net.FileConn(f) // with a descriptor of its own
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// carry copies both ways; Go has the kernel move the bytes (splice).
func (r *relay) carry(client *net.TCPConn) {
	defer client.Close()
	server, err := r.dial()
	if err != nil {
		return
	}
	defer server.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		io.Copy(client, server) //nolint:errcheck // an end is an end
		client.CloseWrite()     //nolint:errcheck // likewise
	}()
	io.Copy(server, client) //nolint:errcheck // likewise
	server.CloseWrite()     //nolint:errcheck // likewise
	<-answered
}

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// mostRelayed is how many connections are carried at once. Others wait in the kernel's queue: this process must not be
// the one that uses up the memory.
const mostRelayed = 256

// relay carries connections to a server that takes IPv6 only, to which the kernel cannot lead what comes over IPv4. It
// listens on a port of the loopback interface, to which connections are led in place of the app's: so the app can still
// open its own port.
type relay struct {
	*net.TCPListener

	to netip.AddrPort
}

func newRelay(to netip.AddrPort) (*relay, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // to such a socket nothing can be led
	l, err := config.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{l.(*net.TCPListener), localAddress(to)}
	go r.serve()
	return r, nil
}

// port is the relay's own, which is not the app's.
func (r *relay) port() uint16 { return r.Addr().(*net.TCPAddr).AddrPort().Port() }

// descriptor returns a copy of the listener's. (File would make the listener wait in system calls, which Close does not
// end.)
func (r *relay) descriptor() (fd int, err error) {
	raw, err := r.SyscallConn()
	if err != nil {
		return -1, err
	}
	controlErr := raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(controlErr, err)
}

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
				r.carry(c)
			}
		}()
	}
}

// carry copies both ways; Go has the kernel move the bytes (splice).
func (r *relay) carry(client net.Conn) {
	defer client.Close()
	server, err := net.DialTCP("tcp6", nil, net.TCPAddrFromAddrPort(r.to))
	if err != nil {
		return
	}
	defer server.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		io.Copy(client, server)            //nolint:errcheck // an end is an end
		client.(*net.TCPConn).CloseWrite() //nolint:errcheck // likewise
	}()
	io.Copy(server, client) //nolint:errcheck // likewise
	server.CloseWrite()     //nolint:errcheck // likewise
	<-answered
}

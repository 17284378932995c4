package main

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// mostRelayed is how many connections are carried at once. Others wait in the kernel's queue, of queueRelayed: this
// process must not be the one that uses up the memory.
const mostRelayed, queueRelayed = 256, 511

// relay carries connections to a server that takes IPv6 only, to which the kernel cannot lead what comes over IPv4. It
// listens on a port of the loopback interface, to which connections are led in place of the app's: so the app can still
// open its own port. Package net would make this program larger by 40 KB, for a case that is rare.
type relay struct {
	listener int // a descriptor
	to       netip.AddrPort
	port     uint16 // its own, which is not the app's
}

func newRelay(to netip.AddrPort) (*relay, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		// As libuv's sockets have it: so the app can listen on its port while connections from there are open.
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, queueRelayed))
	own, nameErr := unix.Getsockname(fd)
	at, ok := own.(*unix.SockaddrInet4)
	if err = errors.Join(err, nameErr); err != nil || !ok {
		return nil, errors.Join(err, unix.Close(fd))
	}
	r := &relay{listener: fd, to: localAddress(to), port: uint16(at.Port)}
	go r.serve()
	return r, nil
}

// stop ends the wait for connections. Those that are open go on.
func (r *relay) stop() { unix.Shutdown(r.listener, unix.SHUT_RDWR) } //nolint:errcheck // serve has ended already

// serve carries connections until stop.
func (r *relay) serve() {
	defer unix.Close(r.listener)
	places := make(chan struct{}, mostRelayed)
	for {
		places <- struct{}{}
		client, _, err := unix.Accept4(r.listener, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if errors.Is(err, unix.EINVAL) {
			return
		}
		if err != nil { // out of descriptors or memory, or the client has gone
			time.Sleep(listenPoll)
			<-places
			continue
		}
		go func() {
			defer func() { <-places }()
			r.carry(client)
		}()
	}
}

// carry copies both ways.
func (r *relay) carry(client int) {
	c := os.NewFile(uintptr(client), "client")
	defer c.Close()
	server, err := dial(r.to)
	if err != nil || unix.SetNonblock(server, true) != nil {
		return
	}
	s := os.NewFile(uintptr(server), "server")
	defer s.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		io.Copy(c, s)                       //nolint:errcheck // an end is an end
		unix.Shutdown(client, unix.SHUT_WR) //nolint:errcheck // likewise
	}()
	io.Copy(s, c)                       //nolint:errcheck // likewise
	unix.Shutdown(server, unix.SHUT_WR) //nolint:errcheck // likewise
	<-answered
}

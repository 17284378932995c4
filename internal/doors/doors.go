// Package doors has the sockets at which gitd listens, by name. A gitd may be given them open: by systemd (socket
// activation), by root before it gives root up, or by the gitd before it, whose place it takes without an outage.
//
// It owns where each socket comes from, that none is open twice, and that a door can stay open and accept nobody for a
// moment. It does not own what is said at a door.
package doors

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
)

// Set is the doors of one process. Its methods are safe for concurrent use.
type Set struct {
	mu        sync.Mutex
	inherited []Handed
	open      []*entry
	paused    chan struct{} // closed when the paused doors go on; nil: none is paused
}

// entry is one open door.
type entry struct {
	name    string
	address string // as it was asked for
	fd      descriptor
	set     *Set
	pauses  bool          // see Pausing
	within  sync.Mutex    // held by whoever accepts
	done    chan struct{} // closed when the door is
}

// New is a set into which nothing was inherited.
func New() *Set { return &Set{} }

// TCP listens at address, or takes the door of this name that was inherited. A door that systemd has opened is taken
// whatever its address is: the socket unit says that. One of another gitd is taken if that was asked for the same
// address. The name goes to the next gitd, and must be the same there.
func (s *Set) TCP(name, address string) (*TCPListener, error) {
	l, err := find(s, name, address, net.FileListener)
	if err == nil && l == nil {
		l, err = net.Listen("tcp", address)
	}
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("the door %s that was inherited is no TCP socket", name)
	}
	return &TCPListener{tcp, s.add(name, address, tcp)}, nil
}

// UDP is TCP for packets. Two processes that read from one socket take each other's packets: a gitd that passes its
// doors on must stop reading this one before the next gitd begins to.
func (s *Set) UDP(name, address string) (*UDPConn, error) {
	c, err := find(s, name, address, net.FilePacketConn)
	if err == nil && c == nil {
		c, err = net.ListenPacket("udp", address)
	}
	if err != nil {
		return nil, err
	}
	udp, ok := c.(*net.UDPConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("the door %s that was inherited is no UDP socket", name)
	}
	return &UDPConn{udp, s.add(name, address, udp)}, nil
}

// Unix takes the door of this name that was inherited, or has listen make it at path. The name of an inherited one
// belongs to the process before, until Own.
func (s *Set) Unix(name, path string, listen func(path string) (net.Listener, error)) (*UnixListener, error) {
	l, err := find(s, name, path, net.FileListener)
	if err == nil && l == nil {
		l, err = listen(path)
	}
	if err != nil {
		return nil, err
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("the door %s that was inherited is no unix socket", name)
	}
	return &UnixListener{unix, s.add(name, path, unix)}, nil
}

// find takes an inherited door, or returns zero.
func find[T io.Closer](s *Set, name, address string, open func(*os.File) (T, error)) (door T, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.inherited, func(h Handed) bool { return h.Name == name })
	if i < 0 {
		return door, nil
	}
	h := s.inherited[i]
	s.inherited = slices.Delete(s.inherited, i, i+1)
	f := os.NewFile(uintptr(h.FD), name)
	defer f.Close() // the door has a descriptor of its own, which no program that gitd starts inherits
	if !h.systemd && h.Address != address {
		return door, nil
	}
	if door, err = open(f); err != nil {
		return door, fmt.Errorf("the door %s that was inherited: %w", name, err)
	}
	return door, nil
}

func (s *Set) add(name, address string, fd descriptor) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &entry{name: name, address: address, fd: fd, set: s, done: make(chan struct{})}
	s.open = append(s.open, e)
	return e
}

// closed takes the door out of the set. It is called before each close.
func (e *entry) closed() {
	e.set.mu.Lock()
	defer e.set.mu.Unlock()
	i := slices.Index(e.set.open, e)
	if i >= 0 {
		e.set.open = slices.Delete(e.set.open, i, i+1)
		close(e.done)
	}
}

// Own makes this process the one that removes the names of its unix sockets when it closes them, or leaves them to
// another process.
func (s *Set) Own(names bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.open {
		if l, ok := e.fd.(*net.UnixListener); ok {
			l.SetUnlinkOnClose(names)
		}
	}
}

// CloseRest closes the inherited doors that nobody has asked for, and returns their names.
func (s *Set) CloseRest() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.inherited {
		os.NewFile(uintptr(h.FD), h.Name).Close()
		names = append(names, h.Name)
	}
	s.inherited = nil
	return names
}

// Given reports whether a door of this name was inherited and nobody has asked for it yet.
func (s *Set) Given(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.inherited, func(h Handed) bool { return h.Name == name })
}

// String names the open doors.
func (s *Set) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, e := range s.open {
		names = append(names, e.name)
	}
	return strings.Join(names, ", ")
}

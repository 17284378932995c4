package doors

import (
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"time"
)

// descriptor is what all sockets have.
type descriptor interface {
	SyscallConn() (syscall.RawConn, error)
}

// TCPListener is an open door.
type TCPListener struct {
	*net.TCPListener
	e *entry
}

// UnixListener is an open door.
type UnixListener struct {
	*net.UnixListener
	e *entry
}

// UDPConn is an open door.
type UDPConn struct {
	*net.UDPConn
	e *entry
}

// Close closes this process's door. One that was passed on stays open in the next process.
func (l *TCPListener) Close() error { l.e.closed(); return l.TCPListener.Close() }

// Close closes this process's door. One that was passed on stays open in the next process.
func (l *UnixListener) Close() error { l.e.closed(); return l.UnixListener.Close() }

// Close closes this process's door. One that was passed on stays open in the next process.
func (c *UDPConn) Close() error { c.e.closed(); return c.UDPConn.Close() }

// Accept waits for a connection. While a door of Pausing is paused, connections wait in the kernel.
func (l *TCPListener) Accept() (net.Conn, error) { return l.e.accept(l.TCPListener) }

// Accept is that of TCPListener.
func (l *UnixListener) Accept() (net.Conn, error) { return l.e.accept(l.UnixListener) }

// Pausing makes Pause hold this door too: behind it, things are changed that only one gitd at a time may change.
func (l *TCPListener) Pausing() *TCPListener { l.e.pauses = true; return l }

// Pausing is that of TCPListener.
func (l *UnixListener) Pausing() *UnixListener { l.e.pauses = true; return l }

type deadliner interface {
	net.Listener
	SetDeadline(time.Time) error
}

func (e *entry) accept(l deadliner) (net.Conn, error) {
	for {
		select {
		case <-e.mayAccept():
		case <-e.done:
		}
		if conn, err := e.acceptNow(l); !errors.Is(err, os.ErrDeadlineExceeded) {
			return conn, err
		} // Pause has woken it
	}
}

func (e *entry) acceptNow(l deadliner) (net.Conn, error) {
	e.within.Lock()
	defer e.within.Unlock()
	return l.Accept()
}

// mayAccept is closed when the door is not paused.
func (e *entry) mayAccept() <-chan struct{} {
	e.set.mu.Lock()
	defer e.set.mu.Unlock()
	if !e.pauses || e.set.paused == nil {
		return always
	}
	return e.set.paused
}

var always = func() <-chan struct{} { c := make(chan struct{}); close(c); return c }()

// Pause lets nobody in at the doors of Pausing: whoever connects waits in the kernel until Resume, or until the next
// process accepts. Connections that were accepted before it returns may still arrive.
func (s *Set) Pause() {
	s.mu.Lock()
	if s.paused == nil {
		s.paused = make(chan struct{})
		s.deadlines(time.Unix(1, 0))
	}
	open := slices.Clone(s.open)
	s.mu.Unlock()
	for _, e := range open {
		if e.pauses {
			e.within.Lock()   // whoever was about to accept has, or has been woken
			e.within.Unlock() //nolint:staticcheck // see above
		}
	}
}

// Paused reports whether doors are held.
func (s *Set) Paused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.paused != nil
}

// Stop lets nobody in any more at any door: another process accepts there. The names of unix sockets are its.
func (s *Set) Stop() {
	s.Own(false)
	s.mu.Lock()
	for _, e := range s.open {
		e.pauses = true
	}
	if s.paused != nil { // those that were not held must be woken
		s.deadlines(time.Unix(1, 0))
	}
	s.mu.Unlock()
	s.Pause()
}

// Resume lets them in again. A door that was closed while it was paused says so then.
func (s *Set) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.paused == nil {
		return
	}
	s.deadlines(time.Time{})
	close(s.paused)
	s.paused = nil
}

// deadlines wakes those that accept, or lets them sleep; s.mu is held.
func (s *Set) deadlines(t time.Time) {
	for _, e := range s.open {
		if l, ok := e.fd.(deadliner); ok && e.pauses {
			l.SetDeadline(t) //nolint:errcheck // a door that is closed accepts nobody
		}
	}
}

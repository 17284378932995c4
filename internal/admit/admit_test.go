package admit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

func TestSourceOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:5":              "192.0.2.1",
		"[::ffff:192.0.2.1]:5":     "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:5": "2001:db8:1:2::",
		"[2001:db8:1:2:ffff::1]:5": "2001:db8:1:2::",
		"[fe80::1%lo]:5":           "fe80::",
	} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := SourceOf(a); got != netip.MustParseAddr(want) {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
}

// listener fails as the kernel does, and then accepts.
type listener struct {
	net.Listener
	fails []error
}

func (l *listener) Accept() (net.Conn, error) {
	if len(l.fails) == 0 {
		c, _ := net.Pipe()
		return c, nil
	}
	err := l.fails[0]
	l.fails = l.fails[1:]
	return nil, err
}

func failed(e syscall.Errno) error {
	return &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", e)}
}

// TestPatient: one accept that failed for want of a descriptor ended the daemon.
func TestPatient(t *testing.T) {
	said := 0
	l := Patient(t.Context(), &listener{fails: []error{failed(syscall.EMFILE), failed(syscall.ENFILE), failed(syscall.ECONNABORTED)}},
		func(error) { said++ })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if said != 1 {
		t.Errorf("told %d times, want once", said)
	}
	l = Patient(t.Context(), &listener{fails: []error{net.ErrClosed}}, nil)
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l = Patient(ctx, &listener{fails: []error{failed(syscall.EMFILE), failed(syscall.EMFILE)}}, nil)
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("ended: %v", err)
	}
}

package server

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"
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
		if got := sourceOf(a); got != netip.MustParseAddr(want) {
			t.Errorf("%s counts as %s, want %s", addr, got, want)
		}
	}
}

func addrOf(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// TestConnectionsFromOneAddress: one address cannot take them all.
func TestConnectionsFromOneAddress(t *testing.T) {
	l := newLimits()
	var src *source
	for n := range maxConnsFrom {
		s, err := l.admit(addrOf(1))
		if err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
		src = s
	}
	if _, err := l.admit(addrOf(1)); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := l.admit(addrOf(2)); err != nil {
		t.Errorf("another address: %v", err)
	}
	l.leave(addrOf(1), src)
	if _, err := l.admit(addrOf(1)); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

// TestFailuresAreRemembered, for the address that failed and as long as it
// matters; an address that did nothing wrong leaves no trace.
func TestFailuresAreRemembered(t *testing.T) {
	l := newLimits()
	for range failBurst {
		s, err := l.admit(addrOf(1))
		if err != nil {
			t.Fatal(err)
		}
		s.failed()
		l.leave(addrOf(1), s)
	}
	if _, err := l.admit(addrOf(1)); !errors.Is(err, errFailing) {
		t.Errorf("after %d failures: %v", failBurst, err)
	}
	s, err := l.admit(addrOf(2))
	if err != nil {
		t.Fatal(err)
	}
	l.leave(addrOf(2), s)
	if len(l.sources) != 1 {
		t.Errorf("%d addresses are remembered, want the one that failed", len(l.sources))
	}
}

// TestManyAddresses: what is remembered has an end, and its being full turns
// away only who is new.
func TestManyAddresses(t *testing.T) {
	l := newLimits()
	for n := range maxSources {
		s, err := l.admit(addrOf(n))
		if err != nil {
			t.Fatal(err)
		}
		s.failed()
		l.leave(addrOf(n), s)
	}
	if _, err := l.admit(addrOf(maxSources)); !errors.Is(err, errFull) {
		t.Errorf("address %d: %v", maxSources, err)
	}
	s, err := l.admit(addrOf(7))
	if err != nil {
		t.Fatalf("a known address: %v", err)
	}
	// Its time is over: it makes room.
	s.fails = rate.NewLimiter(rate.Every(failEvery), failBurst)
	l.leave(addrOf(7), s)
	if _, err := l.admit(addrOf(maxSources)); err != nil {
		t.Errorf("when there is room: %v", err)
	}
}

// TestLoginsWait: beyond the logins under way from one address, more wait for
// their turn and are not refused.
func TestLoginsWait(t *testing.T) {
	l := newLimits()
	src, err := l.admit(addrOf(1))
	if err != nil {
		t.Fatal(err)
	}
	var done []func()
	for range maxLogins {
		d, err := src.login(time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		done = append(done, d)
	}
	if _, err := src.login(time.Millisecond); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	next := make(chan error, 1)
	go func() { _, err := src.login(time.Minute); next <- err }()
	done[0]()
	if err := <-next; err != nil {
		t.Errorf("the next: %v", err)
	}
}

// TestFailingAddressIsTurnedAway at the real door, and others are not.
func TestFailingAddressIsTurnedAway(t *testing.T) {
	h := open(t, nil)
	ada := signer(t)
	h.let("ada", ada.PublicKey(), true)
	from := func(n int, key gossh.Signer) error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(n))}}
		conn, err := d.Dial("tcp", h.addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		c, _, _, err := gossh.NewClientConn(conn, h.addr, &gossh.ClientConfig{
			User: "nodeos", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}, HostKeyCallback: gossh.FixedHostKey(h.cfg.HostKey.PublicKey()),
		})
		if err == nil {
			c.Close()
		}
		return err
	}
	stranger := signer(t)
	for range failBurst + 3 {
		if from(2, stranger) == nil {
			t.Fatal("a stranger is in")
		}
	}
	if err := from(2, ada); err == nil {
		t.Error("an address that fails all the time is still listened to")
	}
	if err := from(3, ada); err != nil {
		t.Errorf("another address pays for it: %v", err)
	}
}

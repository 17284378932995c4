package server

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/time/rate"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

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
		l.loggedIn(addrOf(1), s)
		src = s
	}
	if _, err := l.admit(addrOf(1)); !errors.Is(err, errFull) {
		t.Errorf("one too many: %v", err)
	}
	if _, err := l.admit(addrOf(2)); err != nil {
		t.Errorf("another address: %v", err)
	}
	l.leave(addrOf(1), src, false)
	if _, err := l.admit(addrOf(1)); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

// TestStrangersLeaveRoom: 1,024 silent connections from 8 addresses shut administrators out. Now those who have not
// logged in get few places, and those from whose address somebody has logged in get theirs.
func TestStrangersLeaveRoom(t *testing.T) {
	l := newLimits()
	l.most = maxConns
	office := addrOf(1 << 20)
	l.knows(office, time.Now())
	l.chance = func(int) int { return 99 } // the luckiest
	in := 0
	for round := range maxConns {
		if _, err := l.admit(addrOf(round % 8)); err == nil {
			in++
		}
	}
	if in != maxStartingFrom*8 {
		t.Errorf("%d silent connections from 8 addresses are in", in)
	}
	for n := range maxConns {
		if _, err := l.admit(addrOf(100 + n)); err == nil {
			in++
		}
	}
	if in != maxStarting {
		t.Errorf("%d silent connections from everywhere are in, want %d", in, maxStarting)
	}
	for n := range 20 {
		if _, err := l.admit(office); err != nil {
			t.Fatalf("login %d from a known address: %v", n, err)
		}
	}
}

// TestEarlyDrop: beside many silent connections, a new address gets in if it tries again.
func TestEarlyDrop(t *testing.T) {
	l := newLimits()
	l.most = maxConns
	for n := 0; l.starting < maxStarting*3/4; n++ {
		l.admit(addrOf(n)) //nolint:errcheck // some are dropped
	}
	dropped := 0
	for n := range 1000 {
		s, err := l.admit(addrOf(1<<16 + n))
		if err != nil {
			dropped++
			continue
		}
		l.leave(addrOf(1<<16+n), s, true)
	}
	// 30 % at 64 and 100 % at 256 are 76 % at 192.
	if dropped < 650 || dropped > 870 {
		t.Errorf("%d of 1000 were dropped, want some 760", dropped)
	}
}

// TestKeptPlaces: the last quarter of all places is for addresses from which somebody has logged in.
func TestKeptPlaces(t *testing.T) {
	l := newLimits()
	l.most = 40
	for n := range 30 {
		s, err := l.admit(addrOf(n))
		if err != nil {
			t.Fatal(err)
		}
		l.loggedIn(addrOf(n), s)
	}
	if _, err := l.admit(addrOf(99)); !errors.Is(err, errFull) {
		t.Errorf("a new address: %v", err)
	}
	for n := range 10 {
		if _, err := l.admit(addrOf(n)); err != nil {
			t.Errorf("a known address: %v", err)
		}
	}
	if _, err := l.admit(addrOf(1)); !errors.Is(err, errFull) {
		t.Errorf("when all are taken: %v", err)
	}
	for n := range 2 * maxKnown {
		l.knows(addrOf(1<<17+n), time.Now())
	}
	if len(l.known) > maxKnown {
		t.Errorf("%d addresses are known", len(l.known))
	}
}

// TestSilentConnections at the real door: an administrator gets in beside as many as can be had from 8 addresses.
func TestSilentConnections(t *testing.T) {
	h := open(t, nil)
	ada := signer(t)
	h.let("ada", ada.PublicKey(), true)
	h.in(ada).Close()
	for n := range 1024 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(n%8+1))}}
		conn, err := d.DialContext(t.Context(), "tcp", h.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	h.in(ada)
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
		l.leave(addrOf(1), s, true)
	}
	if _, err := l.admit(addrOf(1)); !errors.Is(err, errFailing) {
		t.Errorf("after %d failures: %v", failBurst, err)
	}
	s, err := l.admit(addrOf(2))
	if err != nil {
		t.Fatal(err)
	}
	l.leave(addrOf(2), s, true)
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
		l.leave(addrOf(n), s, true)
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
	l.leave(addrOf(7), s, true)
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

// TestKeyIsBoundToItsAddresses: from= before a key was dropped. Where it excludes the client, the key is as unknown as
// any other.
func TestKeyIsBoundToItsAddresses(t *testing.T) {
	h := open(t, nil)
	for from, want := range map[string]bool{"127.0.0.0/8": true, "192.0.2.0/24": false} {
		s := signer(t)
		k, err := people.ParseKey("ada", `from="`+from+`" `+string(gossh.MarshalAuthorizedKey(s.PublicKey())))
		if err == nil {
			_, err = h.people.AddKey(t.Context(), core.Host(), k, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.dial("nodeos", gossh.PublicKeys(s)); (err == nil) != want {
			t.Errorf("from %s: %v", from, err)
		}
	}
}

// TestFailedLoginsAreLogged: who tried, from where and with which keys stood in the log for debugging only.
func TestFailedLoginsAreLogged(t *testing.T) {
	var text syncedText
	h := open(t, func(c *Config) { c.Log = zerolog.New(&text).Level(zerolog.InfoLevel) })
	stranger := signer(t)
	if _, err := h.dial("root", gossh.PublicKeys(stranger)); err == nil {
		t.Fatal("a stranger is in")
	}
	want := gossh.FingerprintSHA256(stranger.PublicKey())
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(text.String(), want); {
		if time.Now().After(deadline) {
			t.Fatalf("the log says %q", text.String())
		}
		runtime.Gosched()
	}
	for _, part := range []string{`"from":"127.0.0.1:`, `"who":"root"`, `"event":"login"`, `"result":"refused"`, `"message":"security"`, `"level":"info"`} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the log lacks %s: %s", part, text.String())
		}
	}
}

// syncedText is a log that is read while it is written.
type syncedText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncedText) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncedText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

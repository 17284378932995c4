package gateway

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// listen makes a server of the host, on its loopback.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// echo answers with what it has got once the other side has said that it sends no more.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if b, err := io.ReadAll(c); err == nil {
				_, _ = c.Write(b)
			}
		}()
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// TestOut: the guest sends a megabyte out, says that it sends no more, and gets the answer: half-close is kept.
func TestOut(t *testing.T) {
	l := listen(t)
	go echo(l)
	to, rule := gatewayPort(l.Addr())
	m := startMachine(t, rule)
	c := m.mustDial(to)
	want := randomBytes(1 << 20)
	go say(c, want)
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes back, %v", len(got), err)
	}
}

// TestIn: gitd sends a megabyte to the app, says that it sends no more, and gets the answer. The app sees the gateway's
// address, as with QEMU's own network.
func TestIn(t *testing.T) {
	m := startMachine(t)
	l := m.listenApp()
	go echo(l)
	c := m.dialApp()
	want := randomBytes(1 << 20)
	go say(c, want)
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes back, %v", len(got), err)
	}
}

// TestInWithoutApp: while the app does not listen, a connection is closed at once, without a byte.
func TestInWithoutApp(t *testing.T) {
	m := startMachine(t)
	c := m.dialApp()
	deadline(t, c, 10*time.Second)
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v", n, err)
	}
}

// TestInReset: an app that ends in the midst of an answer is seen to.
func TestInReset(t *testing.T) {
	m := startMachine(t)
	l := m.listenApp()
	c := m.dialApp()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("what the app does not read")); err != nil {
		t.Fatal(err)
	}
	in.Close()
	deadline(t, c, 10*time.Second)
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v", n, err)
	}
}

// TestRefused: what the policy does not allow is refused at once, and told to gitd with the address to allow.
func TestRefused(t *testing.T) {
	l := listen(t)
	to, rule := gatewayPort(l.Addr())
	m := startMachine(t)
	for range 3 {
		if _, err := m.dial(to); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("the guest sees %v, want a refused connection", err)
		}
	}
	count := 0
	for count < 3 {
		r := m.nextRefused()
		if r.Proto != "tcp" || r.Addr.String() != rule || r.Why != "is the host's own loopback" {
			t.Errorf("told: %+v", r)
		}
		count += r.Count
	}
	want := map[string]bool{"10.0.2.7:80": true, "10.0.2.3:80": true, "192.168.1.1:80": true, "169.254.169.254:80": true}
	for s := range want {
		if _, err := m.dial(netip.MustParseAddrPort(s)); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: the guest sees %v, want a refused connection", s, err)
		}
	}
	for len(want) > 0 {
		r := m.nextRefused()
		if !want[r.Addr.String()] {
			t.Fatalf("told: %+v", r)
		}
		delete(want, r.Addr.String())
	}
}

// TestPolicyAtOnce: a new policy opens, and closes what was open before.
func TestPolicyAtOnce(t *testing.T) {
	l := listen(t)
	to, rule := gatewayPort(l.Addr())
	m := startMachine(t)
	if _, err := m.dial(to); err == nil {
		t.Fatal("connected without a rule")
	}
	if err := m.watch.SetPolicy(t.Context(), egress(t, rule)); err != nil {
		t.Fatal(err)
	}
	c := m.mustDial(to)
	if err := m.watch.SetPolicy(t.Context(), core.Egress{}); err != nil {
		t.Fatal(err)
	}
	deadline(t, c, 10*time.Second)
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("a connection that is no longer allowed ends with %v, want a reset", err)
	}
	if _, err := m.dial(to); err == nil {
		t.Error("connected without a rule")
	}
}

// TestUDP: datagrams go out and come back, also ones that are longer than a frame.
func TestUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(b[:n], from)
		}
	}()
	to, rule := gatewayPort(server.LocalAddr())
	m := startMachine(t, rule)
	c, _ := m.dialUDP(to)
	for _, n := range []int{0, 1, 1400, 20000} {
		want := randomBytes(n)
		deadline(t, c, 10*time.Second)
		if _, err := c.Write(want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 1<<16)
		if n, err := c.Read(got); err != nil || !bytes.Equal(got[:n], want) {
			t.Errorf("sent %d bytes, got %d back, %v", len(want), n, err)
		}
	}
}

// TestUDPRefused: the guest hears at once that a datagram was refused.
func TestUDPRefused(t *testing.T) {
	m := startMachine(t)
	c, heard := m.dialUDP(netip.MustParseAddrPort("192.168.7.7:1234"))
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-heard:
	case <-time.After(10 * time.Second):
		t.Error("the guest does not hear that its datagram was refused")
	}
	if r := m.nextRefused(); r.Proto != "udp" || r.Addr.String() != "192.168.7.7:1234" {
		t.Errorf("told: %+v", r)
	}
}

func TestResolvers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "resolv.conf")
	r := newResolvers(path, 53)
	if _, err := r.pick(); !errors.Is(err, errNoResolver) {
		t.Errorf("without a file: %v", err)
	}
	text := "search example.org\nnameserver 127.0.0.53\nnameserver nonsense\nnameserver fd00::1\noptions edns0\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"127.0.0.53:53", "[fd00::1]:53", "127.0.0.53:53"} {
		got, err := r.pick()
		if err != nil || got.String() != want {
			t.Errorf("asks %s, %v, want %s", got, err, want)
		}
		r.failed(got)
		r.failed(netip.MustParseAddrPort("1.1.1.1:53")) // no longer the one
	}
	later := time.Now().Add(time.Minute)
	if err := errors.Join(os.WriteFile(path, []byte("nameserver 9.9.9.9\n"), 0o600), os.Chtimes(path, later, later)); err != nil {
		t.Fatal(err)
	}
	if got, err := r.pick(); err != nil || got.String() != "9.9.9.9:53" {
		t.Errorf("after a change: %s, %v", got, err)
	}
}

package gateway

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/gateway/wire"
	"github.com/nodeos-dev/gitd/internal/porttest"
)

// TestDNS: the guest's questions reach the host's DNS server, though no rule allows its address, by UDP and by TCP. If
// the first server is dead, the next is asked when the guest asks again.
func TestDNS(t *testing.T) {
	l, answer := porttest.Both(t)
	go echo(l)
	go func() {
		b := make([]byte, 1000)
		for {
			n, from, err := answer.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = answer.WriteTo(append([]byte("answer to "), b[:n]...), from)
		}
	}()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(path, []byte("nameserver 127.0.0.2\nnameserver 127.0.0.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := startConfig(t, Config{dns: newResolvers(path, netip.MustParseAddrPort(answer.LocalAddr().String()).Port())})
	to := netip.AddrPortFrom(wire.DNS, dnsPort)
	c, _ := m.dialUDP(to)
	got := make([]byte, 1000)
	n := 0
	for i := 0; n == 0 && i < 20; i++ { // as a resolver's library asks again
		deadline(t, c, 500*time.Millisecond)
		if _, err := fmt.Fprint(c, "question"); err != nil {
			t.Fatal(err)
		}
		n, _ = c.Read(got)
	}
	if string(got[:n]) != "answer to question" {
		t.Errorf("UDP: got %q", got[:n])
	}
	tcp := m.mustDial(to)
	say(tcp, []byte("question"))
	if b, err := io.ReadAll(tcp); err != nil || string(b) != "question" {
		t.Errorf("TCP: got %q, %v", b, err)
	}
	if _, err := m.dial(netip.AddrPortFrom(wire.DNS, dnsPort+1)); err == nil {
		t.Error("another port of the DNS server's address is open")
	}
}

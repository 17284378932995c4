package wire

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// serve runs the side of a machine's network, and returns where gitd connects to.
func serveOne(t *testing.T, r *Refusals, set func(core.Egress)) (dial func() net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, r, NewAsks(), set) }()
	t.Cleanup(func() { cancel(); l.Close(); t.Log("ended: ", <-ended) })
	return func() net.Conn {
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
}

func nothingAsked(*Client, Ask) {}

func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
	return v
}

// TestPolicy: a policy arrives as it was sent, and is answered once it holds.
func TestPolicy(t *testing.T) {
	got := make(chan core.Egress, 1)
	dial := serveOne(t, NewRefusals(), func(e core.Egress) { got <- e })
	c := Watch(dial(), func(Refused) {}, nothingAsked)
	rule, err := core.ParseEgressRule("10.0.0.5:5432")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetPolicy(t.Context(), core.Egress{Rules: []core.EgressRule{rule}, Rate: 1000}); err != nil {
		t.Fatal(err)
	}
	if e := await(t, got); len(e.Rules) != 1 || e.Rules[0] != rule || e.Rate != 1000 {
		t.Errorf("got %+v", e)
	}
	c.Close()
	await(t, c.Done())
	if err := c.SetPolicy(t.Context(), core.Egress{}); err == nil {
		t.Error("a policy was set without a network")
	}
}

// TestNextGitd: what is refused while no gitd is there is told to the next one, as one line of each destination; and a
// new gitd takes the place of one that hangs.
func TestNextGitd(t *testing.T) {
	r := NewRefusals()
	dial := serveOne(t, r, func(core.Egress) {})
	hangs := dial()
	to := netip.MustParseAddrPort("10.0.0.5:5432")
	told := make(chan Refused, 10)
	Watch(dial(), func(r Refused) { told <- r }, nothingAsked)
	for { // the one that hangs is gone when its connection is closed
		if _, err := hangs.Read(make([]byte, 100)); err != nil {
			break
		}
	}
	r.Add(Refused{Proto: "tcp", Addr: to, Why: "is a private address"})
	if got := await(t, told); got.Addr != to || got.Count != 1 || got.Why != "is a private address" {
		t.Errorf("told: %+v", got)
	}
	for range 5 {
		r.Add(Refused{Proto: "tcp", Addr: to})
	}
	if got := await(t, told); got.Count != 5 {
		t.Errorf("told: %+v, want a count of 5", got)
	}
}

// TestAttackLongLine: the network of a machine that a guest has taken over sends gitd a line without end.
func TestAttackLongLine(t *testing.T) {
	err := receive(strings.NewReader(strings.Repeat("a", maxLine+1)), func(message) error { return nil })
	if err == nil || err.Error() != errTooLong.Error() {
		t.Errorf("ended with %v", err)
	}
}

// FuzzReceive: whatever the other side says, the reader ends with it, and a rule that it reads is one that people may
// type.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"policy":{"rules":["10.0.0.0/8:80"],"rate":5}}` + "\n"))
	f.Add([]byte(`{"refused":{"proto":"tcp","addr":"[::1]:80","why":"is","count":2}}` + "\n" + `{"set":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = receive(bytes.NewReader(b), func(m message) error {
			if m.Policy != nil {
				for _, r := range m.Policy.Rules {
					if _, err := core.ParseEgressRule(r.String()); err != nil {
						t.Error(err)
					}
				}
			}
			return nil
		})
	})
}

package jails

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// network is the side of a machine's network of a wire.
type network struct {
	*wire.Asks
	l *linked
}

// newNetwork connects a machine's network with what gitd knows of its links. carry is what gitd does for a link.
func newNetwork(t *testing.T, carry Link, links ...core.LinkEnd) network {
	t.Helper()
	door, err := net.Listen("unix", filepath.Join(t.TempDir(), "net"))
	if err != nil {
		t.Fatal(err)
	}
	n := network{wire.NewAsks(), newLinked("shop-v1-abc", nil, carry)}
	if len(links) > 0 {
		n.l.set(links)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		wire.Serve(ctx, door, wire.NewRefusals(), n.Asks, func(core.Egress) {}) //nolint:errcheck // it ends with the test
	})
	t.Cleanup(func() { cancel(); door.Close(); ended.Wait() })
	conn, err := net.Dial("unix", door.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	wire.Watch(conn, func(wire.Refused) {}, n.l.asked)
	return n
}

func (n network) get(t *testing.T, link int64) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := n.Get(ctx, link, 5432)
	if err == nil {
		c.Close()
		return ""
	}
	return err.Error()
}

// TestAttackOtherLink: a network that a guest has taken over asks for a link of another app, which exists. It is told
// that there is none, and nobody is asked for it.
func TestAttackOtherLink(t *testing.T) {
	n := newNetwork(t, func(context.Context, int64, int, func(context.Context) (net.Conn, error)) error {
		t.Error("the link was looked for")
		return nil
	}, core.LinkEnd{ID: 7, Names: []string{"db"}})
	for _, link := range []int64{8, 0, -1} {
		if got := n.get(t, link); got != "is not linked" {
			t.Errorf("link %d: %s", link, got)
		}
	}
}

// TestAttackManyAsks: a network asks for more than it may have, and twice for one. The rest of gitd does not hear of
// it.
func TestAttackManyAsks(t *testing.T) {
	l := newLinked("shop-v1-abc", nil, nil)
	for i := range uint32(maxLinked) {
		if _, why := l.begin(wire.Ask{N: i, Link: 7}); why != "" {
			t.Fatal(i, why)
		}
	}
	for n, want := range map[uint32]string{5: "was asked for already", maxLinked: "is one more than a machine may have connections to other apps"} {
		if _, why := l.begin(wire.Ask{N: n, Link: 7}); why != want {
			t.Errorf("%d: %q", n, why)
		}
	}
	l.end(5)
	if _, why := l.begin(wire.Ask{N: 5, Link: 7}); why != "" {
		t.Errorf("the place is not given back: %s", why)
	}
}

// TestAskedAtTheStart: a machine that was found running asks before it is known which links it has. It waits, and gets
// what it may have.
func TestAskedAtTheStart(t *testing.T) {
	n := newNetwork(t, func(_ context.Context, link int64, _ int, _ func(context.Context) (net.Conn, error)) error {
		return core.Reject(fmt.Sprintf("was looked for: %d", link), "")
	})
	got := make(chan string)
	go func() { got <- n.get(t, 7) }()
	for { // until it has asked
		n.l.mu.Lock()
		asked := len(n.l.carried)
		n.l.mu.Unlock()
		if asked > 0 {
			break
		}
		runtime.Gosched()
	}
	n.l.set([]core.LinkEnd{{ID: 7}})
	if why := <-got; why != "was looked for: 7" {
		t.Errorf("told: %s", why)
	}
}

// TestLinkTakenAway: what a link carries is cut on this side too when the link is taken away: the network of the
// machine may not do it.
func TestLinkTakenAway(t *testing.T) {
	carried, cut := make(chan struct{}), make(chan struct{})
	n := newNetwork(t, func(ctx context.Context, _ int64, _ int, _ func(context.Context) (net.Conn, error)) error {
		close(carried)
		<-ctx.Done()
		close(cut)
		return core.Reject("is not linked", "")
	}, core.LinkEnd{ID: 7})
	got := make(chan string)
	go func() { got <- n.get(t, 7) }()
	<-carried
	n.l.set(nil)
	select {
	case <-cut:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection goes on")
	}
	if why := <-got; why != "is not linked" {
		t.Errorf("told: %s", why)
	}
	if why := n.get(t, 7); why != "is not linked" {
		t.Errorf("asked again: %s", why)
	}
}

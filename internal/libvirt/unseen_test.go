package libvirt

import (
	"net"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// again gives the machine of g, which was unseen, another channel.
func (g *fakeGuest) again() {
	g.Helper()
	ours, theirs := net.Pipe()
	g.Cleanup(func() { theirs.Close() })
	g.wire, g.w, g.r = theirs, guest.NewWriter(theirs), guest.NewReader(theirs)
	g.see(ours, func(*machine) {})
	g.hears(guest.KindHello)
}

func (g *fakeGuest) told(kind core.EventKind) core.Event {
	g.Helper()
	e := <-g.events
	if e.Kind != kind {
		g.Fatalf("told %+v, want %s", e, kind)
	}
	return e
}

// TestUnseen: what a guest says before, during and after libvirt's absence is told once and in order, and the lines
// that were told are acknowledged on the new channel.
func TestUnseen(t *testing.T) {
	g := newFakeGuest(t)
	g.says(booted(5000), line(1, "one"))
	g.told(core.EventBooted)
	g.told(core.EventLog)
	for range 2 {
		g.unsee("it has closed the connection")
	}
	if e := g.told(core.EventUnseen); e.Detail != "it has closed the connection" {
		t.Errorf("unseen because %q", e.Detail)
	}
	g.hung(0) // a timer that had fired already
	g.again()
	g.told(core.EventSeen)
	g.says(line(2, "before its answer"), booted(5000), line(1, "one"), line(2, "two"))
	g.told(core.EventBooted)
	if e := g.told(core.EventLog); e.Line != "two" {
		t.Errorf("told %q, want the line that was not told yet", e.Line)
	}
	if m := g.hears(guest.KindAck); m.Ack.Seq != 2 {
		t.Errorf("acknowledged %d, want 2", m.Ack.Seq)
	}
}

// TestUnseenBeforeItsStart: the start message may be lost together with the channel. It is sent again until the app
// shows that it has come.
func TestUnseenBeforeItsStart(t *testing.T) {
	g := newFakeGuest(t)
	g.telling.Lock()
	g.start = &guest.Start{Port: 8080}
	g.telling.Unlock()
	g.says(booted(5000))
	g.told(core.EventBooted)
	g.unsee("")
	g.told(core.EventUnseen)
	g.again()
	g.told(core.EventSeen)
	g.says(booted(5000))
	g.told(core.EventBooted)
	if m := g.hears(guest.KindStart); m.Start.Port != 8080 || m.Start.UnixNano == 0 {
		t.Errorf("started with %+v", m.Start)
	}
	g.says(guest.Message{Kind: guest.KindListening})
	g.told(core.EventListening)
	g.telling.Lock()
	defer g.telling.Unlock()
	if g.start != nil {
		t.Error("the start message is kept, with the app's config")
	}
}

// TestEndedUnseen: a machine that has ended while libvirt was away is reported once.
func TestEndedUnseen(t *testing.T) {
	g := newFakeGuest(t)
	g.unsee("")
	g.told(core.EventUnseen)
	for range 2 {
		g.vanish("it ended while libvirt was away", func(*machine) {})
	}
	if e := g.told(core.EventGone); e.Detail != "it ended while libvirt was away" {
		t.Errorf("gone: %q", e.Detail)
	}
	if len(g.events) > 0 {
		t.Errorf("told after its end: %+v", <-g.events)
	}
}

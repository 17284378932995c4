package libvirt

import (
	"bytes"
	"io"
	"math"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/console"
)

// fakeGuest is the other end of a machine's channel.
type fakeGuest struct {
	*testing.T
	*machine
	wire   io.Writer // for bytes that are no message
	w      *guest.Writer
	r      *guest.Reader
	events chan core.Event
}

// newFakeGuest connects a machine to a guest that the test plays.
func newFakeGuest(t *testing.T) *fakeGuest {
	t.Helper()
	events := make(chan core.Event, 100)
	ours, theirs := net.Pipe()
	m := newMachine("shop-v1-aa", func(e core.Event) { events <- e }, console.Log{Path: "/nonexistent"}, zerolog.Nop())
	t.Cleanup(func() {
		m.leave()
		theirs.Close()
	})
	m.connect(ours, func(*machine) {})
	return &fakeGuest{T: t, machine: m, wire: theirs, w: guest.NewWriter(theirs), r: guest.NewReader(theirs), events: events}
}

func (g *fakeGuest) says(all ...guest.Message) {
	g.Helper()
	for _, m := range all {
		if err := g.w.Write(m); err != nil {
			g.Fatal(err)
		}
	}
}

func (g *fakeGuest) hears(kind guest.Kind) guest.Message {
	g.Helper()
	m, err := g.r.Read()
	if err != nil || m.Kind != kind {
		g.Fatalf("the guest hears %+v, %v; want %s", m, err, kind)
	}
	return m
}

func line(seq uint64, text string) guest.Message {
	return guest.Message{Kind: guest.KindLog, Log: &guest.Log{Seq: seq, Stream: "stdout", Line: text}}
}

func booted(beatMillis int) guest.Message {
	return guest.Message{Kind: guest.KindBooted, Booted: &guest.Booted{Kernel: "6.1", BeatMillis: beatMillis}}
}

// TestGuestThatNeverReads: a guest that sent beats with a wrong clock, and never read the time that it was sent, had
// one goroutine wait for each: 120,000 in half a minute.
func TestGuestThatNeverReads(t *testing.T) {
	g := newFakeGuest(t)
	g.says(booted(5000))
	before := runtime.NumGoroutine()
	for range 500 {
		g.says(guest.Message{Kind: guest.KindBeat, Beat: &guest.Clock{UnixNano: 1}})
	}
	if more := runtime.NumGoroutine() - before; more > 5 {
		t.Errorf("%d goroutines wait for the guest", more)
	}
	g.hears(guest.KindTime) // and when it reads, it is answered
}

// TestOutgoing: of each kind the newest waits, in the order of the first.
func TestOutgoing(t *testing.T) {
	o := &outgoing{}
	at := func(n int64) guest.Message {
		return guest.Message{Kind: guest.KindTime, Time: &guest.Clock{UnixNano: n}}
	}
	if !o.put(at(1)) || o.put(guest.Message{Kind: guest.KindHello}) || o.put(at(2)) {
		t.Error("only the first has to take")
	}
	if m, ok := o.take(); !ok || m.Time.UnixNano != 2 {
		t.Errorf("first %+v, %t", m, ok)
	}
	if m, ok := o.take(); !ok || m.Kind != guest.KindHello {
		t.Errorf("second %+v, %t", m, ok)
	}
	if _, ok := o.take(); ok || !o.put(at(3)) {
		t.Error("after the last, the next has to take again")
	}
}

// TestAdoptedLines: lines that were on their way to the process before are not told twice, and lines that were told are
// acknowledged.
func TestAdoptedLines(t *testing.T) {
	g := newFakeGuest(t)
	g.telling.Lock()
	g.greeting = true
	g.telling.Unlock()
	g.says(line(3, "for the process before"), booted(5000), line(2, "two"), line(3, "three"))
	for _, want := range []string{"", "two", "three"} {
		if e := <-g.events; e.Line != want {
			t.Errorf("told %q, want %q", e.Line, want)
		}
	}
	if m := g.hears(guest.KindAck); m.Ack.Seq != 3 {
		t.Errorf("acknowledged %d, want 3", m.Ack.Seq)
	}
}

// TestLastAck: when gitd ends, the lines that it has told are acknowledged, and no more lines are told.
func TestLastAck(t *testing.T) {
	g := newFakeGuest(t)
	g.says(line(1, "one"))
	<-g.events
	go g.leave()
	if m := g.hears(guest.KindAck); m.Ack.Seq != 1 {
		t.Errorf("acknowledged %d, want 1", m.Ack.Seq)
	}
	if err := g.w.Write(line(2, "two")); err == nil {
		g.handle(line(2, "two"), nil)
	}
	if len(g.events) > 0 {
		t.Errorf("told after the end: %+v", <-g.events)
	}
}

// TestLeaveGuestThatDoesNotRead: a guest that does not read delays the end of gitd only a little.
func TestLeaveGuestThatDoesNotRead(t *testing.T) {
	g := newFakeGuest(t)
	g.says(line(1, "one"))
	<-g.events
	g.leave()
}

// TestOlderGuest: a guest that was booted by an older gitd numbers no lines and sends no beats. It is understood, and
// is never taken for hung.
func TestOlderGuest(t *testing.T) {
	g := newFakeGuest(t)
	g.pulse.Start(time.Hour, g.hung) // as Adopt does
	g.says(booted(0), line(0, "a line"), guest.Message{Kind: guest.KindListening}, line(0, "more"))
	var kinds []core.EventKind
	for range 4 {
		kinds = append(kinds, (<-g.events).Kind)
	}
	if want := []core.EventKind{core.EventBooted, core.EventLog, core.EventListening, core.EventLog}; !slices.Equal(kinds, want) {
		t.Errorf("got %v", kinds)
	}
	if g.pulse.Runs() {
		t.Error("its pulse is felt")
	}
	if _, due := g.acks.due(); due {
		t.Error("its lines are acknowledged")
	}
}

// TestGuestOfAnotherVersion: a guest whose messages are not understood counts as hung, and the core replaces its
// machine.
func TestGuestOfAnotherVersion(t *testing.T) {
	g := newFakeGuest(t)
	g.telling.Lock()
	g.greeting = true
	g.telling.Unlock()
	if _, err := g.wire.Write([]byte(`{"v":2,"kind":"booted","booted":{"kernel":"7.0"}}` + "\n")); err != nil {
		t.Fatal(err)
	}
	g.pulse.Start(time.Millisecond, g.hung)
	if e := <-g.events; e.Kind != core.EventHung || !strings.Contains(e.Detail, "another version") {
		t.Errorf("got %+v", e)
	}
}

// TestHung: silence is reported again and again, but not that of a machine that is paused.
func TestHung(t *testing.T) {
	m := newMachine("shop-v1-aa", nil, console.Log{}, zerolog.Nop())
	events := make(chan core.Event)
	m.watch = func(e core.Event) { events <- e }
	var mu sync.Mutex
	paused, asked := false, make(chan struct{}, 100)
	m.paused = func() bool {
		mu.Lock()
		defer mu.Unlock()
		if paused {
			asked <- struct{}{}
		}
		return paused
	}
	m.pulse.Start(time.Millisecond, m.hung)
	for range 2 {
		if e := <-events; e.Kind != core.EventHung || e.Detail != "the guest has said nothing for 1ms" {
			t.Errorf("got %+v", e)
		}
	}
	mu.Lock()
	paused = true
	mu.Unlock()
	for len(asked) < 5 {
		select {
		case <-events: // one that was on its way
		case <-asked:
			asked <- struct{}{}
		}
	}
	m.pulse.Stop()
}

// TestTimeIsTold: a guest whose clock is off is sent the time, and a guest whose clock is right is not.
func TestTimeIsTold(t *testing.T) {
	g := newFakeGuest(t)
	beat := func(off time.Duration) guest.Message {
		return guest.Message{Kind: guest.KindBeat, Beat: &guest.Clock{UnixNano: time.Now().Add(off).UnixNano()}}
	}
	g.says(beat(0), line(1, "in between"))
	<-g.events
	g.hears(guest.KindAck)
	for _, off := range []time.Duration{-time.Hour, time.Hour, math.MinInt64} {
		g.says(beat(off))
		if got := time.Unix(0, g.hears(guest.KindTime).Time.UnixNano); time.Since(got).Abs() > guestLimit {
			t.Errorf("off by %s, it hears %s", off, got)
		}
	}
}

// FuzzMachine: whatever a guest sends, the watch is told bounded events of known kinds, one at a time, and the end
// last.
func FuzzMachine(f *testing.F) {
	for _, m := range []guest.Message{
		booted(5000), booted(math.MaxInt), line(1, "x"), line(math.MaxUint64, "\x1b[31m"),
		{Kind: guest.KindListening, Listening: &guest.Listening{StartMillis: -1, CodeMillis: 1, ListenMillis: math.MaxInt}},
		{Kind: guest.KindListening, Listening: &guest.Listening{Address: "[::1%\x1b[31m]:3000"}},
		{Kind: guest.KindExited, Exited: &guest.Exited{Reason: "exit code 1"}},
		{Kind: guest.KindMisplaced, Misplaced: &guest.Misplaced{Address: "127.0.0.1:3000"}},
		{Kind: guest.KindMisplaced, Misplaced: &guest.Misplaced{Address: "[fe80::1%\x1b[31m]:3000"}},
		{Kind: guest.KindBeat, Beat: &guest.Clock{UnixNano: math.MinInt64}},
		{Kind: guest.KindStats, Stats: &guest.Stats{MemoryTotal: -1, CPUMillis: math.MaxInt64, Load: -1}},
		{Kind: guest.KindFailed, Failed: "no disk"}, {Kind: guest.KindStart, Start: &guest.Start{}}, {Kind: "weather"},
	} {
		b, err := guest.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(append(b[:len(b)/2:len(b)/2], b...), false)
	}
	f.Fuzz(func(t *testing.T, sent []byte, adopted bool) {
		var events []core.Event
		busy := false
		m := newMachine("shop-v1-aa", nil, console.Log{Path: "/nonexistent"}, zerolog.Nop())
		m.watch = func(e core.Event) {
			if busy {
				t.Fatal("the watch was called while it ran")
			}
			busy = true
			events = append(events, e)
			busy = false
		}
		m.booted, m.greeting = adopted, adopted
		m.start = &guest.Start{}
		m.conn = &bytesChannel{Reader: bytes.NewReader(sent)}
		m.end(ending{})
		m.follow(m.conn, nil, func(*machine) {})
		checkEvents(t, events, len(sent))
	})
}

func checkEvents(t *testing.T, events []core.Event, sent int) {
	known := []core.EventKind{core.EventBooted, core.EventListening, core.EventExited, core.EventLog, core.EventStats,
		core.EventMisplaced}
	last := len(events) - 1
	// A line with a loss is two events, and no message is shorter than this.
	if most := 2*(sent/len(`{"v":1,"kind":"x"}`)) + 1; len(events) > most {
		t.Fatalf("%d bytes became %d events", sent, len(events))
	}
	for i, e := range events {
		if known := slices.Contains(known, e.Kind); known == (i == last) || (i == last) != (e.Kind == core.EventGone) {
			t.Fatalf("event %d of %d: %+v", i, last, e)
		}
		if len(e.Line) > guest.MaxLine || len(e.Detail) > guest.MaxLine || len(e.Stream) > 10 || e.Time.IsZero() {
			t.Fatalf("event %+v", e)
		}
		if b := e.Boot; b != nil && (b.Total() < 0 || b.Total() > 6*time.Hour) {
			t.Fatalf("boot times %+v", b)
		}
		if s := e.Stats; (s == nil) != (e.Kind != core.EventStats) || s != nil && (s.CPU < 0 || s.Load < 0 || s.MemoryTotal < 0) {
			t.Fatalf("stats %+v", s)
		}
	}
}

// bytesChannel is a guest that has said something and does not listen.
type bytesChannel struct{ *bytes.Reader }

func (bytesChannel) Write(b []byte) (int, error) { return 0, errChannelClosed }
func (bytesChannel) Close() error                { return nil }

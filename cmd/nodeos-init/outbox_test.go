package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

func texts(t *testing.T, b []byte) []string {
	t.Helper()
	r := guest.NewReader(bytes.NewReader(b))
	var all []string
	for {
		m, err := r.Read()
		if err != nil {
			if r.Skipped > 0 {
				t.Errorf("%d lines were no message", r.Skipped)
			}
			return all
		}
		text := string(m.Kind)
		if m.Log != nil {
			text += " " + m.Log.Line
			if m.Log.Dropped > 0 {
				text += fmt.Sprintf(" (%d dropped)", m.Log.Dropped)
			}
		}
		all = append(all, text)
	}
}

// TestOutboxKeepsStates: without a host, lines are dropped, the oldest first, and states never.
func TestOutboxKeepsStates(t *testing.T) {
	o := newOutbox()
	o.line("stdout", "first")
	o.put(guest.Message{Kind: guest.KindListening})
	for i := range outboxLines + 5 {
		o.line("stdout", fmt.Sprint(i))
	}
	o.put(guest.Message{Kind: guest.KindExited, Exited: &guest.Exited{}})
	var b bytes.Buffer
	go o.send(&b)
	o.flush(time.Minute)
	got := texts(t, b.Bytes())
	if len(got) != outboxLines+2 || got[0] != "listening" || got[1] != "log 5 (6 dropped)" || got[len(got)-1] != "exited" {
		t.Errorf("%d messages: %q … %q", len(got), got[:3], got[len(got)-2:])
	}
}

func TestOutboxBoundsBytes(t *testing.T) {
	o := newOutbox()
	line := strings.Repeat("x", guest.MaxLine)
	for range 100 {
		o.line("stdout", line)
	}
	if o.queue.bytes > outboxBytes || o.queue.lines != outboxBytes/guest.MaxLine {
		t.Errorf("%d lines with %d bytes are kept", o.queue.lines, o.queue.bytes)
	}
}

func TestOutboxResend(t *testing.T) {
	o := newOutbox()
	o.line("stdout", "old")
	o.resend(guest.Message{Kind: guest.KindBooted, Booted: &guest.Booted{}}, guest.Message{Kind: guest.KindListening})
	var b bytes.Buffer
	go o.send(&b)
	o.flush(time.Minute)
	if got := texts(t, b.Bytes()); strings.Join(got, ",") != "booted,listening,log old" {
		t.Errorf("got %q", got)
	}
}

// TestOutboxWithoutHost: a host that does not read delays a power-off by no more than the limit, and never delays put.
func TestOutboxWithoutHost(t *testing.T) {
	o := newOutbox()
	r, w := io.Pipe()
	defer r.Close()
	go o.send(w)
	for range 10 * outboxLines {
		o.line("stdout", "x")
	}
	o.flush(time.Millisecond)
}

// TestOutboxKeepsUnacknowledged: a gitd that connects after another one was killed gets, in order, what that one did
// not acknowledge, and nothing else.
func TestOutboxKeepsUnacknowledged(t *testing.T) {
	o := newOutbox()
	for i := range 5 {
		o.line("stdout", fmt.Sprint(i+1))
	}
	for range 4 {
		o.next() // to the gitd before
	}
	o.acknowledged(2)
	o.resend(guest.Message{Kind: guest.KindBooted, Booted: &guest.Booted{}})
	if got := drain(t, o); got != "booted,log 3,log 4,log 5" {
		t.Errorf("got %s", got)
	}
	o.acknowledged(5)
	o.resend()
	if got := drain(t, o); got != "" {
		t.Errorf("acknowledged lines come again: %s", got)
	}
}

// TestOutboxBoundsKept: what is kept for the next gitd is bounded too.
func TestOutboxBoundsKept(t *testing.T) {
	o := newOutbox()
	line := strings.Repeat("x", guest.MaxLine)
	for range 100 {
		o.line("stdout", line)
		o.next()
	}
	if o.kept.bytes > keptBytes || o.kept.lines != keptBytes/guest.MaxLine {
		t.Errorf("%d lines with %d bytes are kept", o.kept.lines, o.kept.bytes)
	}
}

// TestOutboxNewestState: while no host reads, beats and stats do not pile up.
func TestOutboxNewestState(t *testing.T) {
	o := newOutbox()
	for i := range 1000 {
		o.put(guest.Message{Kind: guest.KindBeat, Beat: &guest.Clock{UnixNano: int64(i)}})
		o.put(guest.Message{Kind: guest.KindStats, Stats: &guest.Stats{}})
	}
	if n := len(o.queue.messages); n != 2 || o.queue.messages[0].Beat.UnixNano != 999 {
		t.Errorf("%d messages wait: %+v", n, o.queue.messages[:1])
	}
}

func drain(t *testing.T, o *outbox) string {
	t.Helper()
	var b bytes.Buffer
	w := guest.NewWriter(&b)
	for len(o.queue.messages) > 0 {
		if err := w.Write(o.next()); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Join(texts(t, b.Bytes()), ",")
}

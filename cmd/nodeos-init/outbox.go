package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// Bounds for what waits for an absent or slow host. Beyond them the oldest lines of output are dropped; states are
	// never dropped.
	outboxLines = 1000
	outboxBytes = 256 << 10

	// Bounds for what has been sent and not acknowledged. It is kept for the next gitd, in case the one that is
	// connected is killed.
	keptLines = 500
	keptBytes = 128 << 10

	flushLimit = time.Second
)

// outbox holds the messages to be sent, in order, and the lines that were sent and may not have arrived. Adding to it
// never waits.
type outbox struct {
	mu      sync.Mutex
	changed *sync.Cond
	queue   backlog // to be sent
	kept    backlog // sent, lines only
	seq     uint64  // of the newest line
	dropped int     // lines lost since the last one that was sent
	acked   uint64  // the last line that the host has
	lost    int64   // lines lost since the start
	sending bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.changed = sync.NewCond(&o.mu)
	return o
}

// put adds a message. Of beats and of stats, only the newest one waits.
func (o *outbox) put(m guest.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch m.Kind {
	case guest.KindLog:
		o.seq++
		m.Log.Seq = o.seq
	case guest.KindBeat, guest.KindStats:
		if o.queue.replace(m) {
			return
		}
	}
	o.queue.add(m)
	o.trim()
	o.changed.Broadcast()
}

// resend queues everything for a gitd that has just connected: the states first, then the lines that the gitd before
// did not acknowledge, then what waits.
func (o *outbox) resend(states ...guest.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	waiting := append(o.kept.messages, o.queue.messages...)
	o.countUnheard(waiting)
	o.kept, o.queue = backlog{}, backlog{}
	for _, m := range append(states, waiting...) {
		o.queue.add(m)
	}
	o.trim()
	o.changed.Broadcast()
}

// acknowledged forgets the lines up to seq.
func (o *outbox) acknowledged(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.acked = max(o.acked, seq)
	for len(o.kept.messages) > 0 && o.kept.messages[0].Log.Seq <= seq {
		o.kept.take()
	}
}

// countUnheard notes on the first line how many are missing before it. Without a host, QEMU takes what is written and
// throws it away, so nobody has received the lines that were sent and are no longer kept.
func (o *outbox) countUnheard(waiting []guest.Message) {
	for _, m := range waiting {
		if m.Kind != guest.KindLog {
			continue
		}
		if missing := int(m.Log.Seq - o.acked - 1); m.Log.Seq > o.acked && missing > m.Log.Dropped {
			o.lost += int64(missing - m.Log.Dropped)
			m.Log.Dropped = missing
		}
		return
	}
}

// log adds a line of init's own.
func (o *outbox) log(format string, args ...any) {
	o.line("init", fmt.Sprintf(format, args...))
}

// line adds a line of output.
func (o *outbox) line(stream, text string) {
	o.put(guest.Message{Kind: guest.KindLog, Log: &guest.Log{Stream: stream, Line: text, UnixNano: time.Now().UnixNano()}})
}

// trim drops the oldest lines while there are too many.
func (o *outbox) trim() {
	for o.queue.lines > outboxLines || o.queue.bytes > outboxBytes {
		o.dropped += 1 + o.queue.dropLine()
		o.lost++
	}
}

// lostLines returns how many lines nobody will see.
func (o *outbox) lostLines() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lost
}

// next waits for a message and takes it.
func (o *outbox) next() guest.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sending = false
	o.changed.Broadcast()
	for len(o.queue.messages) == 0 {
		o.changed.Wait()
	}
	m := o.queue.take()
	if m.Kind == guest.KindLog {
		m.Log.Dropped += o.dropped
		o.dropped = 0
		o.kept.add(m)
		for o.kept.lines > keptLines || o.kept.bytes > keptBytes {
			o.kept.take()
		}
	}
	o.sending = true
	return m
}

// send writes messages to w until that fails.
func (o *outbox) send(w io.Writer) {
	to := guest.NewWriter(w)
	for {
		err := to.Write(o.next())
		if err != nil {
			fmt.Fprintln(os.Stderr, "nodeos-init: control channel:", err)
		}
		if err != nil && !errors.Is(err, guest.ErrTooLong) {
			return
		}
	}
}

// flush waits until everything has been written, or for limit.
func (o *outbox) flush(limit time.Duration) {
	late := false
	timer := time.AfterFunc(limit, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		late = true
		o.changed.Broadcast()
	})
	defer timer.Stop()
	o.mu.Lock()
	defer o.mu.Unlock()
	for (len(o.queue.messages) > 0 || o.sending) && !late {
		o.changed.Wait()
	}
}

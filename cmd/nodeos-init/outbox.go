package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"gitd/internal/guest"
)

const (
	// What waits for an absent or slow host. Beyond it the oldest lines of
	// output go; states are never dropped.
	outboxLines = 1000
	outboxBytes = 256 << 10

	flushLimit = time.Second
)

// outbox holds what is to be sent, in order. Nothing that adds to it waits.
type outbox struct {
	mu      sync.Mutex
	changed *sync.Cond
	queue   []guest.Message
	lines   int // log messages in queue
	bytes   int // of their text
	dropped int // lines lost since the last one that was sent
	sending bool
}

func newOutbox() *outbox {
	o := &outbox{}
	o.changed = sync.NewCond(&o.mu)
	return o
}

// put adds a message.
func (o *outbox) put(m guest.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.Kind == guest.KindLog {
		o.lines++
		o.bytes += len(m.Log.Line)
	}
	o.queue = append(o.queue, m)
	for o.lines > outboxLines || o.bytes > outboxBytes {
		o.dropLine()
	}
	o.changed.Broadcast()
}

// putFirst adds states ahead of everything that waits.
func (o *outbox) putFirst(states ...guest.Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(states, o.queue...)
	o.changed.Broadcast()
}

// log adds a line of init's own.
func (o *outbox) log(format string, args ...any) {
	o.line("init", fmt.Sprintf(format, args...))
}

// line adds a line of output.
func (o *outbox) line(stream, text string) {
	o.put(guest.Message{Kind: guest.KindLog, Log: &guest.Log{Stream: stream, Line: text, UnixNano: time.Now().UnixNano()}})
}

// dropLine drops the oldest log message.
func (o *outbox) dropLine() {
	for i, m := range o.queue {
		if m.Kind == guest.KindLog {
			o.forget(m)
			o.dropped++
			// States are few, so this moves next to nothing: mostly i is 0.
			copy(o.queue[1:i+1], o.queue[:i])
			o.queue[0] = guest.Message{}
			o.queue = o.queue[1:]
			return
		}
	}
}

func (o *outbox) forget(m guest.Message) {
	o.lines--
	o.bytes -= len(m.Log.Line)
}

// next waits for a message and takes it.
func (o *outbox) next() guest.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sending = false
	o.changed.Broadcast()
	for len(o.queue) == 0 {
		o.changed.Wait()
	}
	m := o.queue[0]
	o.queue[0] = guest.Message{}
	o.queue = o.queue[1:]
	if m.Kind == guest.KindLog {
		o.forget(m)
		m.Log.Dropped, o.dropped = o.dropped, 0
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
	for (len(o.queue) > 0 || o.sending) && !late {
		o.changed.Wait()
	}
}

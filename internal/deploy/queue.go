package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// queue lets a limited number of turns hold it at a time, in the order in which they come. Each app has a queue with a
// limit of 1; the builds of all apps share another queue.
type queue struct {
	limit int

	mu      sync.Mutex
	holders []*turn
	line    []*turn
	closed  error // why no turn may join any more; nil: every turn may
}

// turn is one piece of work in a queue.
type turn struct {
	app     string
	by      string // who asked for it
	what    string // "a push of 1234567"
	replace bool   // it takes the place of older turns that yield
	yields  bool   // until it is fixed, a newer turn may take its place
	hint    string // what those should do whose place this turn takes
	cancel  context.CancelCauseFunc

	// The lock of the queue guards the fields below.
	since time.Time // when it joined the line, then when it became a holder
	fixed bool
	ready chan struct{} // closed when it holds the queue
	moved chan struct{} // has a token when the turns before it have changed
}

func (t *turn) title() string { return t.what + " by " + t.by }

// waiting is what somebody whose turn waits in the line learns.
type waiting struct {
	position int // in the line; 1: the next turn
	holders  []QueueEntry
}

// QueueEntry is one turn of a queue, as people see it.
type QueueEntry struct {
	App      string
	By       string
	What     string
	Since    time.Time // when its work began, or its wait
	Position int       // in the line; 0: it holds the queue
}

// join waits until t holds the queue. It calls told when t must wait, and each time that its place may have changed.
// The end of ctx takes t out of the line.
func (q *queue) join(ctx context.Context, t *turn, told func(waiting)) error {
	if err := q.enter(t); err != nil {
		return err
	}
	for {
		select {
		case <-t.ready:
			return nil
		default:
		}
		if told != nil {
			told(q.place(t))
		}
		select {
		case <-t.ready:
			return nil
		case <-t.moved:
		case <-ctx.Done():
			q.leave(t)
			return context.Cause(ctx)
		}
	}
}

// enter puts t into the line, and cancels the turns that it replaces.
func (q *queue) enter(t *turn) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	t.ready, t.moved, t.since = make(chan struct{}), make(chan struct{}, 1), time.Now()
	if t.replace {
		why := core.Reject("superseded by "+t.title(), t.hint)
		for _, old := range slices.Concat(q.line, q.holders) {
			if old.yields && !old.fixed {
				old.cancel(why)
			}
		}
		// Turns that wait leave the line at once: none of them may still be handed the queue.
		q.line = slices.DeleteFunc(q.line, func(o *turn) bool { return o.yields })
	}
	q.line = append(q.line, t)
	q.advance()
	return nil
}

// try takes the queue for t if it is free, and reports whether it did.
func (q *queue) try(t *turn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil || len(q.line) > 0 || len(q.holders) >= max(q.limit, 1) {
		return false
	}
	t.ready, t.since = make(chan struct{}), time.Now()
	q.holders = append(q.holders, t)
	return true
}

// leave ends a turn that waits in the line or holds the queue. It may be called twice.
func (q *queue) leave(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	is := func(o *turn) bool { return o == t }
	q.line = slices.DeleteFunc(q.line, is)
	q.holders = slices.DeleteFunc(q.holders, is)
	q.advance()
}

// advance hands the queue to the turns that come next. The caller holds the lock.
func (q *queue) advance() {
	for len(q.line) > 0 && len(q.holders) < max(q.limit, 1) {
		t := q.line[0]
		q.line = q.line[1:]
		t.since = time.Now()
		q.holders = append(q.holders, t)
		close(t.ready)
	}
	for _, t := range q.line {
		select {
		case t.moved <- struct{}{}:
		default: // it has not looked yet
		}
	}
}

// fix makes t irreplaceable, or returns why ctx has ended: t may have been replaced already.
func (q *queue) fix(ctx context.Context, t *turn) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t.fixed = true
	return nil
}

// close cancels every turn that waits, and refuses every turn that comes later.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = why
	for _, t := range q.line {
		t.cancel(why)
	}
	q.line = nil
}

// cancelAll cancels every turn that can still be cancelled, and returns how many there were.
func (q *queue) cancelAll(why error) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for _, t := range slices.Concat(q.line, q.holders) {
		if t.yields && !t.fixed {
			t.cancel(why)
			n++
		}
	}
	return n
}

func (q *queue) place(t *turn) waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := waiting{position: slices.Index(q.line, t) + 1}
	for _, h := range q.holders {
		w.holders = append(w.holders, h.entry(0))
	}
	return w
}

// entries returns the holders, then the line.
func (q *queue) entries() []QueueEntry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []QueueEntry
	for _, t := range q.holders {
		all = append(all, t.entry(0))
	}
	for i, t := range q.line {
		all = append(all, t.entry(i+1))
	}
	return all
}

func (t *turn) entry(position int) QueueEntry {
	return QueueEntry{App: t.app, By: t.by, What: t.what, Since: t.since, Position: position}
}

// String describes a holder to those who wait for it.
func (e QueueEntry) String() string {
	return fmt.Sprintf("%s by %s, for %s now", e.What, e.By, units.Took(time.Since(e.Since)))
}

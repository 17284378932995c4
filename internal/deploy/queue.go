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

// queue lets a limited number of turns hold it at a time, in the order of
// their arrival. Each app has one with a limit of 1; builds of all apps share
// another.
type queue struct {
	limit int

	mu      sync.Mutex
	holders []*turn
	line    []*turn
	closed  error // why nobody may join any more; nil: everybody may
}

// turn is one piece of work in a queue.
type turn struct {
	app     string
	by      string // who asked for it
	what    string // "a push of 1234567"
	replace bool   // it takes the place of older turns that allow it
	yields  bool   // a newer turn may take its place until it is fixed
	hint    string // for those whose place it takes
	cancel  context.CancelCauseFunc

	// Guarded by the queue that the turn is in.
	since time.Time // in the line, then as a holder
	fixed bool
	ready chan struct{} // closed when it holds the queue
	moved chan struct{} // has a token when those before it have changed
}

func (t *turn) title() string { return t.what + " by " + t.by }

// waiting is what a turn in the line is told.
type waiting struct {
	position int // 1: the next
	holders  []QueueEntry
}

// QueueEntry is one turn of a queue, as people see it.
type QueueEntry struct {
	App      string
	By       string
	What     string
	Since    time.Time // of its work, or of its wait
	Position int       // in the line; 0: it holds the app
}

// join waits until t holds the queue. told is called when t must wait, and
// each time that its place changes. The end of ctx takes t out of the line.
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

// enter puts t in the line, and ends what it replaces.
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
		// Those that wait are out of it at once: none of them may still be
		// handed the queue.
		q.line = slices.DeleteFunc(q.line, func(o *turn) bool { return o.yields })
	}
	q.line = append(q.line, t)
	q.advance()
	return nil
}

// try takes a free queue for t, or reports that it is not free.
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

// leave ends the turn, in the line or as a holder. It may be called twice.
func (q *queue) leave(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	is := func(o *turn) bool { return o == t }
	q.line = slices.DeleteFunc(q.line, is)
	q.holders = slices.DeleteFunc(q.holders, is)
	q.advance()
}

// advance hands the queue on. The caller holds its lock.
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

// fix makes t irreplaceable, or reports that it has been replaced already.
func (q *queue) fix(ctx context.Context, t *turn) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t.fixed = true
	return nil
}

// close ends every turn that waits, and refuses all that come later.
func (q *queue) close(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = why
	for _, t := range q.line {
		t.cancel(why)
	}
	q.line = nil
}

// cancelAll ends every turn that still can be, and reports how many.
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

// entries are the holders, then the line.
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

// String names a holder to those who wait for it.
func (e QueueEntry) String() string {
	return fmt.Sprintf("%s by %s, for %s now", e.What, e.By, units.Took(time.Since(e.Since)))
}

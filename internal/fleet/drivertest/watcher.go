package drivertest

import (
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// watcher collects a machine's events.
type watcher struct {
	t    *testing.T
	mu   sync.Mutex
	seen []core.Event
	more chan struct{} // closed and replaced at each event
}

func newWatcher(t *testing.T) *watcher { return &watcher{t: t, more: make(chan struct{})} }

func (w *watcher) watch(e core.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, e)
	close(w.more)
	w.more = make(chan struct{})
}

func (w *watcher) all() []core.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// events are those of some kinds, as they come. It ends with the machine, or when the test waits for too long.
func (w *watcher) events(kinds ...core.EventKind) iter.Seq[core.Event] {
	return func(yield func(core.Event) bool) {
		late := time.After(limit)
		for n := 0; ; n++ {
			e, more := w.at(n)
			for more != nil {
				select {
				case <-more:
				case <-late:
					w.t.Errorf("no further event within %s: %+v", limit, kinds)
					return
				}
				e, more = w.at(n)
			}
			if slices.Contains(kinds, e.Kind) && !yield(e) || e.Kind == core.EventGone {
				return
			}
		}
	}
}

// at is the event number n, or what is closed when there are more events.
func (w *watcher) at(n int) (e core.Event, more <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < len(w.seen) {
		return w.seen[n], nil
	}
	return e, w.more
}

func (w *watcher) has(kind core.EventKind) bool {
	_, ok, _ := w.find(kind)
	return ok
}

func (w *watcher) find(kind core.EventKind) (e core.Event, ok bool, more <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.seen {
		if e.Kind == kind {
			return e, true, nil
		}
	}
	return core.Event{}, false, w.more
}

// await waits for the first event of a kind. The test fails at once if the machine ends before.
func (w *watcher) await(kind core.EventKind) core.Event {
	w.t.Helper()
	late := time.After(limit)
	for {
		gone := w.has(core.EventGone) // before it is looked for: both may come in between
		e, ok, more := w.find(kind)
		if ok {
			return e
		}
		if gone {
			w.t.Fatalf("the machine is gone before %q: %+v", kind, w.all())
		}
		select {
		case <-more:
		case <-late:
			w.t.Fatalf("no %q within %s: %+v", kind, limit, w.all())
		}
	}
}

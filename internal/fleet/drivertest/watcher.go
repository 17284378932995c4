package drivertest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// watcher collects a machine's events.
type watcher struct {
	t      *testing.T
	mu     sync.Mutex
	events []core.Event
	more   chan struct{} // closed and replaced at each event
}

func newWatcher(t *testing.T) *watcher { return &watcher{t: t, more: make(chan struct{})} }

func (w *watcher) watch(e core.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
	close(w.more)
	w.more = make(chan struct{})
}

func (w *watcher) all() []core.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

func (w *watcher) has(kind core.EventKind) bool {
	_, ok, _ := w.find(kind)
	return ok
}

func (w *watcher) find(kind core.EventKind) (e core.Event, ok bool, more <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
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
		e, ok, more := w.find(kind)
		if ok {
			return e
		}
		if w.has(core.EventGone) {
			w.t.Fatalf("the machine is gone before %q: %+v", kind, w.all())
		}
		select {
		case <-more:
		case <-late:
			w.t.Fatalf("no %q within %s: %+v", kind, limit, w.all())
		}
	}
}

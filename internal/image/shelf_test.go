package image_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/nodeos-dev/gitd/internal/image"
)

func TestShelf(t *testing.T) {
	tests := []struct {
		name string
		run  func(s *image.Shelf) *image.Sweep
		want bool // whether the file goes
	}{
		{"nobody needs it", func(s *image.Shelf) *image.Sweep { return s.Sweep() }, true},
		{"the ledger names it", func(s *image.Shelf) *image.Sweep {
			w := s.Sweep()
			w.Keep("a")
			return w
		}, false},
		{"held from before", func(s *image.Shelf) *image.Sweep {
			s.Hold().Take("a")
			return s.Sweep()
		}, false},
		{"held since", func(s *image.Shelf) *image.Sweep {
			w := s.Sweep()
			s.Hold().Take("a")
			return w
		}, false},
		{"held by one of two", func(s *image.Shelf) *image.Sweep {
			h := s.Hold()
			h.Take("a")
			s.Hold().Take("a")
			h.Release()
			return s.Sweep()
		}, false},
		{"let go before", func(s *image.Shelf) *image.Sweep {
			h := s.Hold()
			h.Take("a", "a")
			h.Release()
			return s.Sweep()
		}, true},
		// The ledger was read before the release was in it.
		{"let go since", func(s *image.Shelf) *image.Sweep {
			h := s.Hold()
			h.Take("a")
			w := s.Sweep()
			h.Release()
			return w
		}, false},
		{"let go during an earlier sweep", func(s *image.Shelf) *image.Sweep {
			h := s.Hold()
			h.Take("a")
			w := s.Sweep()
			h.Release()
			w.End()
			return s.Sweep()
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.run(&image.Shelf{})
			defer w.End()
			removed := false
			dropped, err := w.Drop("a", func() error { removed = true; return nil })
			if err != nil || dropped != tt.want || removed != tt.want {
				t.Errorf("dropped %t, removed %t, %v; want %t", dropped, removed, err, tt.want)
			}
		})
	}
}

// TestShelfRace: builders make and find the same few files over and over and note them in a ledger that keeps only the
// last ones, while a collector runs without pause. Whatever the ledger names must exist, each time the test looks.
func TestShelfRace(t *testing.T) {
	const enough = 3000
	w := &shelfWorld{files: map[string]bool{}}
	var builders sync.WaitGroup
	done := make(chan struct{})
	for b := range len(w.ledger) {
		builders.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
					w.deploy(b, fmt.Sprint("layer", (n*7+b*11)%shelfNames))
				}
			}
		})
	}
	for w.collect(t) < enough && !t.Failed() {
	}
	close(done)
	builders.Wait()
}

// shelfNames is how many files there may be: so many that nobody needs most of them.
const shelfNames = 20

// shelfWorld is a file system and a ledger with small locks of their own, each held for one step only.
type shelfWorld struct {
	shelf image.Shelf

	mu      sync.Mutex
	files   map[string]bool
	dropped int

	ledgerMu sync.Mutex
	ledger   [4]string // by builder: what its newest release is made of
}

func (w *shelfWorld) deploy(builder int, name string) {
	hold := w.shelf.Hold()
	defer hold.Release()
	hold.Take(name)
	if !w.has(name) {
		w.mu.Lock()
		w.files[name] = true
		w.mu.Unlock()
	}
	runtime.Gosched() // the other files are made, npm runs, …
	w.ledgerMu.Lock()
	w.ledger[builder] = name
	w.ledgerMu.Unlock()
}

// check checks that every file exists that the ledger names.
func (w *shelfWorld) check(t *testing.T) {
	w.ledgerMu.Lock()
	defer w.ledgerMu.Unlock()
	for _, name := range w.ledger {
		if name != "" && !w.has(name) {
			t.Errorf("%s is in the ledger, and its file is gone", name)
		}
	}
}

func (w *shelfWorld) has(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.files[name]
}

// collect makes one collection and returns how many files have been dropped so far.
func (w *shelfWorld) collect(t *testing.T) int {
	sweep := w.shelf.Sweep()
	defer sweep.End()
	w.ledgerMu.Lock()
	sweep.Keep(w.ledger[:]...)
	w.ledgerMu.Unlock()
	runtime.Gosched()
	for n := range shelfNames {
		name := fmt.Sprint("layer", n)
		if !w.has(name) {
			continue
		}
		_, err := sweep.Drop(name, func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.files, name)
			w.dropped++
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	w.check(t)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

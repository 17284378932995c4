package image

import "sync"

// AppCache is the name by which a Shelf knows what is kept for the next build of app.
func AppCache(app string) string { return "cache of " + app }

// Shelf guards the files of images, which are named by layer digests and base ids, between two parties that know
// nothing of each other: deployments, which find or make a file long before the ledger names it, and collections, which
// remove what the ledger does not name.
//
// The rules: a deployment holds a name before it looks whether the file is there, and releases the name after the
// ledger names the file, or after it is certain that it will not. A collection begins before it reads the ledger, and
// removes a file only through Drop.
//
// Why no file is lost that a deployment found or made: at the moment of Drop there are four cases. The deployment does
// not hold the name yet: then Take waits for Drop's removal, the deployment finds nothing, and makes the file again.
// The deployment holds the name: then Drop does nothing. The deployment has released the name since the collection
// began: then Drop does nothing either, because such names are remembered until the collection ends. The deployment
// released the name before the collection began: then the ledger was written before it was read, so what was read names
// the file.
//
// The zero value is ready to use. A deployment waits for one removal at most.
type Shelf struct {
	sweeping sync.Mutex // locked by the collection that runs

	mu   sync.Mutex
	held map[string]int  // how many hold each name
	late map[string]bool // released since the running collection began; nil: none runs
}

// Hold is the names that one deployment holds on a Shelf. A nil Hold, for builds whose files nobody collects, guards
// nothing.
type Hold struct {
	shelf *Shelf
	names []string // guarded by shelf.mu
}

// Hold makes a Hold that holds nothing yet.
func (s *Shelf) Hold() *Hold { return &Hold{shelf: s} }

// Take holds names until Release. Empty names are ignored.
func (h *Hold) Take(names ...string) {
	if h == nil {
		return
	}
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	if h.shelf.held == nil {
		h.shelf.held = map[string]int{}
	}
	for _, n := range names {
		if n != "" {
			h.shelf.held[n]++
			h.names = append(h.names, n)
		}
	}
}

// Release releases all names.
func (h *Hold) Release() {
	if h == nil {
		return
	}
	h.shelf.mu.Lock()
	defer h.shelf.mu.Unlock()
	for _, n := range h.names {
		if h.shelf.held[n]--; h.shelf.held[n] == 0 {
			delete(h.shelf.held, n)
		}
		if h.shelf.late != nil {
			h.shelf.late[n] = true
		}
	}
	h.names = nil
}

// Sweep is one collection.
type Sweep struct {
	shelf *Shelf
	keep  map[string]bool
}

// Sweep begins a collection, after the one before it has ended. End must be called.
func (s *Shelf) Sweep() *Sweep {
	s.sweeping.Lock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = map[string]bool{}
	return &Sweep{shelf: s, keep: map[string]bool{}}
}

// Keep adds names that the ledger needs. They must be read after the collection began.
func (w *Sweep) Keep(names ...string) {
	for _, n := range names {
		w.keep[n] = true
	}
}

// Kept reports whether name was given to Keep.
func (w *Sweep) Kept(name string) bool { return w.keep[name] }

// Drop calls remove for the file called name, unless the ledger or a deployment needs it.
func (w *Sweep) Drop(name string, remove func() error) (dropped bool, err error) {
	w.shelf.mu.Lock()
	defer w.shelf.mu.Unlock()
	if w.keep[name] || w.shelf.held[name] > 0 || w.shelf.late[name] {
		return false, nil
	}
	return true, remove()
}

// End ends the collection.
func (w *Sweep) End() {
	w.shelf.mu.Lock()
	w.shelf.late = nil
	w.shelf.mu.Unlock()
	w.shelf.sweeping.Unlock()
}

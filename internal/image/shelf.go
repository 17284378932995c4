package image

import "sync"

// AppCache is the name by which what is kept for an app's next build is known
// to a Shelf.
func AppCache(app string) string { return "cache of " + app }

// Shelf guards the files of images, which are named by layer digests and base
// ids, between two who know nothing of each other: deployments, which find or
// make a file long before the ledger names it, and collections, which remove
// what the ledger does not name.
//
// The rules: a deployment holds a name before it looks whether the file is
// there, and lets go of it after the ledger names the file, or is not going
// to. A collection begins before it reads the ledger, and removes a file only
// through Drop.
//
// Why no file is lost that a deployment found or made: at the moment of Drop,
// the deployment has either not yet held the name; then Hold waits for Drop's
// removal, the deployment finds nothing, and makes the file again. Or it
// holds the name; then Drop does nothing. Or it has let go of it since the
// collection began; then Drop does nothing either, because such names are
// remembered until the collection ends. Or it let go before the collection
// began; then the ledger was written before it was read, so what was read
// names the file.
//
// The zero value is ready to use. A deployment waits for one removal at most.
type Shelf struct {
	sweeping sync.Mutex // held by the collection that runs

	mu   sync.Mutex
	held map[string]int  // by how many
	late map[string]bool // let go of since the running collection began; nil: none runs
}

// Hold is what one deployment needs of a Shelf. A nil Hold, for builds whose
// files nobody collects, guards nothing.
type Hold struct {
	shelf *Shelf
	names []string // guarded by shelf.mu
}

// Hold begins with nothing held.
func (s *Shelf) Hold() *Hold { return &Hold{shelf: s} }

// Take holds names until Release. Empty names are left out.
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

// Release lets go of everything.
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

// Sweep begins a collection, after the end of the one before. End must be
// called.
func (s *Shelf) Sweep() *Sweep {
	s.sweeping.Lock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = map[string]bool{}
	return &Sweep{shelf: s, keep: map[string]bool{}}
}

// Keep adds names that the ledger needs, read after the collection began.
func (w *Sweep) Keep(names ...string) {
	for _, n := range names {
		w.keep[n] = true
	}
}

// Kept reports whether name was given to Keep.
func (w *Sweep) Kept(name string) bool { return w.keep[name] }

// Drop calls remove for the file of name, unless the ledger or a deployment
// needs it.
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

package ledger

import "sync"

// signal tells everybody who waits that something has changed.
type signal struct {
	mu   sync.Mutex
	next chan struct{} // nil: nobody waits
}

func (s *signal) send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

// NextChange is closed after the next change that is made by this process. Whoever takes it, reads, and then waits for
// it misses none.
func (db *database) NextChange() <-chan struct{} { return db.next.wait() }

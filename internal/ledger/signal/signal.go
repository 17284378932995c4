// Package signal tells everybody who waits that something has changed.
package signal

import "sync"

// Signal tells everybody who waits that something has changed.
type Signal struct {
	mu   sync.Mutex
	next chan struct{} // nil: nobody waits
}

// Send wakes all who wait.
func (s *Signal) Send() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

// Wait returns what the next Send closes.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

package server

import (
	"sync"
	"time"
)

// inFlight counts sessions, so that one can wait for their end.
type inFlight struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed at the end of the last one; nil: nobody waits
}

func (f *inFlight) begin() (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.n--; f.n == 0 && f.none != nil {
			close(f.none)
			f.none = nil
		}
	}
}

// wait returns when there is none, or after limit. Only one may wait.
func (f *inFlight) wait(limit time.Duration) {
	f.mu.Lock()
	if f.n == 0 {
		f.mu.Unlock()
		return
	}
	none := make(chan struct{})
	f.none = none
	f.mu.Unlock()
	select {
	case <-none:
	case <-time.After(limit):
	}
}

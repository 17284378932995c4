package server

import (
	"sync"
	"time"
)

// arrivalLimit is how long a connection that was let in may take to its first command before nobody waits for it.
const arrivalLimit = 10 * time.Second

// arrivals are the connections that were let in and have not begun anything: their clients are about to log in, or to
// say what they want.
type arrivals struct {
	mu      sync.Mutex
	since   map[*link]time.Time
	leaving bool
}

func (a *arrivals) add(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since[l] = time.Now()
}

func (a *arrivals) remove(l *link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.since, l)
}

// welcome reports whether l may begin a session: while the door leaves, only if it is the first one.
func (a *arrivals) welcome(l *link) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, first := a.since[l]
	return first || !a.leaving
}

// Leave makes each connection end with what runs on it: OpenSSH that keeps one for the next commands opens another one
// when this is refused. With leave false, everything is as before.
func (a *arrivals) Leave(leave bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leaving = leave
}

// Arriving is how many clients have been let in and are about to say what they want.
func (a *arrivals) Arriving() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, since := range a.since {
		if time.Since(since) < arrivalLimit {
			n++
		}
	}
	return n
}

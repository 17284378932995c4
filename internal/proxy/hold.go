package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// What may wait in all holds together. A held request costs its headers and a
// goroutine: its body stays with the client until it goes on.
const (
	maxHeld      = 4096     // requests, of all apps
	maxHeldOfApp = 1024     // requests
	maxHeldBytes = 32 << 20 // of request lines and headers, of all apps
)

// errLate ends the wait of a request.
var errLate = errors.New("the next machine is late")

// hold is the place of an app whose next machine is on its way.
type hold struct {
	limit time.Duration // how long one request waits
	ended chan struct{} // closed when the app has another place
}

func newHold(limit time.Duration) *hold {
	return &hold{limit: limit, ended: make(chan struct{})}
}

func (h *hold) end() { close(h.ended) }

// waitingRoom bounds the requests that wait, since anybody can send them.
type waitingRoom struct {
	mu       sync.Mutex
	requests int
	bytes    int
	ofApp    map[string]int
}

// enter makes room for a request, if there is any; leave gives it back.
func (w *waitingRoom) enter(app string, size int) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.requests >= maxHeld || w.ofApp[app] >= maxHeldOfApp || w.bytes+size > maxHeldBytes {
		return nil, false
	}
	w.requests++
	w.bytes += size
	w.ofApp[app]++
	return func() { w.leave(app, size) }, true
}

func (w *waitingRoom) leave(app string, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests--
	w.bytes -= size
	if w.ofApp[app]--; w.ofApp[app] == 0 {
		delete(w.ofApp, app)
	}
}

func (w *waitingRoom) held(app string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ofApp[app]
}

var (
	pageFull    = page{http.StatusServiceUnavailable, "Try again", "A new release of this app is starting, and too many requests wait for it already."}
	pageLate    = page{http.StatusServiceUnavailable, "Try again", "A new release of this app is starting, and it takes longer than a request may wait."}
	pageStopped = page{http.StatusServiceUnavailable, "Try again", "This server is restarting."}
)

// place finds where r goes. A request whose app is held waits here until the
// app has a place again; nothing of its body is read meanwhile. When there is
// no backend to release, answer says what the client is told; nil if it has
// gone.
func (p *Proxy) place(r *http.Request, app string) (b *backend, answer *page) {
	at, known := p.table.acquire(app)
	if at.hold != nil {
		leave, ok := p.room.enter(app, headerSize(r))
		if !ok {
			return nil, &pageFull
		}
		defer leave()
		late, cancel := context.WithTimeoutCause(r.Context(), at.hold.limit, errLate)
		defer cancel()
		for at.hold != nil {
			if answer, ok := p.wait(late, at.hold); !ok {
				return nil, answer
			}
			at, known = p.table.acquire(app)
		}
	}
	switch {
	case !known:
		return nil, new(p.noApp(hostUnknown))
	case at.backend == nil:
		return nil, &page{http.StatusServiceUnavailable, "This app is not running", "It cannot answer now: " + at.reason + "."}
	}
	return at.backend, nil
}

// wait returns true when h has ended.
func (p *Proxy) wait(late context.Context, h *hold) (answer *page, ok bool) {
	select {
	case <-h.ended:
		return nil, true
	case <-p.ending.Done():
		return &pageStopped, false
	case <-late.Done():
		if errors.Is(context.Cause(late), errLate) {
			return &pageLate, false
		}
		return nil, false
	}
}

// headerSize is about what a request takes in memory while it waits, in bytes.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

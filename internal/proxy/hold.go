package proxy

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// These limit what may wait in all holds together. A held request costs the memory of its headers and a goroutine. Its
// body stays with the client until the request goes on.
const (
	maxHeld      = 4096     // requests, of all apps
	maxHeldOfApp = 1024     // requests
	maxHeldBytes = 32 << 20 // of request lines and headers, of all apps
)

// errLate is the reason why a request stops waiting when its time is over.
var errLate = errors.New("the next machine is late")

// hold is the place of an app whose next machine is being started, or which sleeps.
type hold struct {
	limit time.Duration // how long one request waits
	ended chan struct{} // closed when the app has another place
	knock func()        // called when a request waits; nil: nobody is
}

func newHold(limit time.Duration, knock func()) *hold {
	if call := knock; call != nil {
		knock = sync.OnceFunc(func() { go call() })
	}
	return &hold{limit: limit, ended: make(chan struct{}), knock: knock}
}

func (h *hold) end() { close(h.ended) }

// waitingRoom limits the number of requests that wait, because anybody can send them.
type waitingRoom struct {
	mu       sync.Mutex
	requests int
	bytes    int
	ofApp    map[string]int
}

// enter takes room for a request, if there is any; leave gives it back.
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
	pageCrowd   = page{http.StatusServiceUnavailable, "Try again", "Too many requests come from your address."}
	pageFull    = page{http.StatusServiceUnavailable, "Try again", "This app is starting, and too many requests wait for it already."}
	pageLate    = page{http.StatusServiceUnavailable, "Try again", "This app is starting, and it takes longer than a request may wait."}
	pageStopped = page{http.StatusServiceUnavailable, "Try again", "This server is restarting."}
)

// place finds the backend for r, which the caller must release; one of tried only if there is no other. A request whose
// app is held waits here until the app has another place; nothing of its body is read meanwhile. If b is nil, answer is
// the page for the client, or nil if the client has gone.
func (p *Proxy) place(r *http.Request, app string, tried []*backend) (b *backend, answer *page) {
	at, b, known := p.table.acquire(app, tried)
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
			at, b, known = p.table.acquire(app, tried)
		}
	}
	switch {
	case !known:
		return nil, new(p.noApp(hostUnknown))
	case b == nil:
		return nil, &page{http.StatusServiceUnavailable, "This app is not running", "It cannot answer now: " + at.reason + "."}
	}
	return b, nil
}

// wait returns true when h has ended. Otherwise answer is the page for the client, or nil if the client has gone.
func (p *Proxy) wait(late context.Context, h *hold) (answer *page, ok bool) {
	if h.knock != nil {
		h.knock()
	}
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

// headerSize estimates the memory that a request takes while it waits, in bytes.
func headerSize(r *http.Request) int {
	n := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

package proxy

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestCounts(t *testing.T) {
	f := newFront(t, Config{})
	if got := f.Counts("nobody"); got != (core.Counts{}) {
		t.Errorf("an unknown app has %+v", got)
	}
	arrived := make(chan struct{})
	h := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			close(arrived)
			<-r.Context().Done()
		case "/broken":
			panic(http.ErrAbortHandler)
		case "/moved":
			w.WriteHeader(http.StatusFound)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		}
	}
	f.app(t, "shop", h)
	for _, path := range []string{"/", "/", "/moved", "/missing", "/broken"} {
		do(t, client(t), f.request(t, "GET", "shop.localhost", path, nil))
	}
	ctx, leave := context.WithCancel(t.Context())
	left := asks(t, f.request(t, "GET", "shop.localhost", "/hang", nil).WithContext(ctx))
	<-arrived
	awaitActive(t, f, 1) // a client has its answer before the request is counted out
	if got := f.Counts("shop"); got.Active != 1 || got.Requests != 6 {
		t.Errorf("while one runs: %+v", got)
	}
	f.Hold("shop", forever, nil)
	held := asks(t, f.request(t, "GET", "shop.localhost", "/", nil))
	awaitHeld(t, f, "shop", 1)
	if got := f.Counts("shop"); got.Active != 1 || got.Held != 1 {
		t.Errorf("while one waits: %+v", got)
	}
	f.Down("shop", "stopped")
	<-held
	leave()
	<-left
	// The request whose client has left ends when its handler returns.
	want := core.Counts{Requests: 7, Answers: [6]int64{1, 0, 2, 1, 1, 2}}
	awaitActive(t, f, 0)
	if got := f.Counts("shop"); got != want {
		t.Errorf("at the end: %+v, want %+v", got, want)
	}
	if f.app(t, "shop", h); f.Counts("shop") != want {
		t.Error("another machine starts from zero")
	}
}

// awaitActive waits until so many requests of shop run.
func awaitActive(t *testing.T, f *front, n int) {
	t.Helper()
	for start := time.Now(); f.Counts("shop").Active != n; runtime.Gosched() {
		if time.Since(start) > 30*time.Second {
			t.Fatalf("not %d requests run, but %+v", n, f.Counts("shop"))
		}
	}
}

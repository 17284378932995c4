package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// forever is a limit that no test reaches.
const forever = time.Hour

// awaitHeld returns when n requests for app wait.
func awaitHeld(t *testing.T, f *front, app string, n int) {
	t.Helper()
	for f.Counts(app).Held != n {
		if t.Context().Err() != nil {
			t.Fatalf("%d requests wait, want %d", f.Counts(app).Held, n)
		}
		time.Sleep(time.Millisecond)
	}
}

// asks sends a request from a goroutine and returns its answer.
func asks(t *testing.T, r *http.Request) <-chan string {
	answer := make(chan string, 1)
	c := client(t)
	go func() {
		res, err := c.Do(r)
		if err != nil {
			answer <- "failed"
			return
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			answer <- "broken"
			return
		}
		answer <- fmt.Sprintf("%d %s", res.StatusCode, body)
	}()
	return answer
}

// TestHoldEnds: a held request is answered by the next place of its app, whatever that is, or when its time is over.
func TestHoldEnds(t *testing.T) {
	tests := []struct {
		name  string
		limit time.Duration
		end   func(t *testing.T, f *front)
		want  string
	}{
		{"switch", forever, func(t *testing.T, f *front) {
			f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "new") })
		}, "200 new"},
		{"hold again, then switch", forever, func(t *testing.T, f *front) {
			f.Hold("shop", forever, nil)
			f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "new") })
		}, "200 new"},
		{"down", forever, func(_ *testing.T, f *front) { f.Down("shop", "it does not start") }, "503 This app is not running. It cannot answer now: it does not start."},
		{"remove", forever, func(_ *testing.T, f *front) { f.Remove("shop") }, "404 There is no app here."},
		{"limit", 20 * time.Millisecond, func(*testing.T, *front) {}, "503 Try again. This app is starting, and it takes longer"},
		{"end of the daemon", forever, func(_ *testing.T, f *front) { f.end() }, "503 Try again. This server is restarting."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFront(t, Config{})
			f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "old") })
			f.Hold("shop", tt.limit, nil)(t.Context())
			answer := asks(t, f.request(t, "GET", "shop.localhost", "/", nil))
			if tt.limit == forever {
				awaitHeld(t, f, "shop", 1)
			}
			tt.end(t, f)
			if got := <-answer; !strings.HasPrefix(got, tt.want) {
				t.Errorf("answer %q, want %q", got, tt.want)
			}
			awaitHeld(t, f, "shop", 0)
		})
	}
}

// TestHoldDrains: a request that runs on the old machine ends there, while one that comes later waits.
func TestHoldDrains(t *testing.T) {
	f := newFront(t, Config{})
	arrived, finish := make(chan struct{}), make(chan struct{})
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		io.WriteString(w, "old")
	})
	first := asks(t, f.request(t, "GET", "shop.localhost", "/", nil))
	<-arrived
	drain := f.Hold("shop", forever, nil)
	second := asks(t, f.request(t, "GET", "shop.localhost", "/", nil))
	awaitHeld(t, f, "shop", 1)
	close(finish)
	drain(t.Context())
	if got := <-first; got != "200 old" {
		t.Errorf("the running request got %q", got)
	}
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "new") })
	if got := <-second; got != "200 new" {
		t.Errorf("the held request got %q", got)
	}
}

// TestHeldClientLeaves: when the client of a held request leaves, its place in the waiting room is free at once.
func TestHeldClientLeaves(t *testing.T) {
	f := newFront(t, Config{})
	f.Hold("shop", forever, nil)
	ctx, leave := context.WithCancel(t.Context())
	answer := asks(t, f.request(t, "GET", "shop.localhost", "/", nil).WithContext(ctx))
	awaitHeld(t, f, "shop", 1)
	leave()
	if got := <-answer; got != "failed" {
		t.Errorf("answer %q", got)
	}
	awaitHeld(t, f, "shop", 0)
	served := 0
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) { served++ })
	do(t, client(t), f.request(t, "GET", "shop.localhost", "/", nil))
	if served != 1 {
		t.Errorf("the app got %d requests, want 1", served)
	}
}

// TestHeldUpload: the body stays with the client while the request waits. Its
// first bytes fit into the buffers on the way; after those the client's
// writes stop, and go on when the hold ends.
func TestHeldUpload(t *testing.T) {
	const size = 64 << 20
	f := newFront(t, Config{})
	f.Hold("shop", forever, nil)
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: %d\r\n\r\n", size)
	awaitHeld(t, f, "shop", 1)
	sent := fill(t, conn)
	if sent > size/2 {
		t.Fatalf("%d bytes of a held body were taken", sent)
	}
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, err)
	})
	if _, err := conn.Write(make([]byte, size-sent)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if want := fmt.Sprint(size, nil); err != nil || string(body) != want {
		t.Errorf("the app received %q, want %q (%v)", body, want, err)
	}
}

// fill writes until nothing more is taken, and returns how much was.
func fill(t *testing.T, conn net.Conn) (sent int) {
	t.Helper()
	for {
		conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) //nolint:errcheck // the write tells
		n, err := conn.Write(make([]byte, 1<<20))
		sent += n
		var timeout net.Error
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			conn.SetWriteDeadline(time.Time{}) //nolint:errcheck // likewise
			return sent
		default:
			t.Fatal(err)
		}
	}
}

// TestHeldUpgrade: a WebSocket that is opened while the app is held works as soon as the hold ends.
func TestHeldUpgrade(t *testing.T) {
	f := newFront(t, Config{})
	f.Hold("shop", forever, nil)
	talked := make(chan error, 1)
	go func() {
		ws, err := dialWebSocket(f)
		if err == nil {
			err = echo(ws, "hello")
			ws.Close()
		}
		talked <- err
	}()
	awaitHeld(t, f, "shop", 1)
	next := newRelease(1)
	t.Cleanup(next.server.Close)
	f.Switch("shop", []string{next.addr()})
	if err := <-talked; err != nil {
		t.Error(err)
	}
}

// TestWaitingRoom: the front door holds no more than its limits, and one app cannot take all the room.
func TestWaitingRoom(t *testing.T) {
	w := waitingRoom{ofApp: map[string]int{}}
	fill := func(app string, size int) (leaves []func()) {
		for {
			leave, ok := w.enter(app, size)
			if !ok {
				return leaves
			}
			leaves = append(leaves, leave)
		}
	}
	all := fill("a", 1)
	if len(all) != maxHeldOfApp {
		t.Errorf("one app holds %d", len(all))
	}
	if big := fill("b", 1<<20); len(big) != maxHeldBytes>>20-1 {
		t.Errorf("%d large requests beside them", len(big))
	} else {
		all = append(all, big...)
	}
	for i := 0; len(all) < maxHeld; i++ {
		all = append(all, fill(fmt.Sprint("c", i), 0)...)
	}
	if _, ok := w.enter("d", 0); ok {
		t.Errorf("%d requests wait, and one more", len(all))
	}
	for _, leave := range all {
		leave()
	}
	if w.requests != 0 || w.bytes != 0 || len(w.ofApp) != 0 {
		t.Errorf("left over: %d requests, %d bytes, %v", w.requests, w.bytes, w.ofApp)
	}
}

// TestHoldFull: a request for which there is no room is answered with the time at which to try again.
func TestHoldFull(t *testing.T) {
	f := newFront(t, Config{})
	f.Hold("shop", forever, nil)
	f.room.ofApp["shop"] = maxHeldOfApp
	checkAnswer(t, f.request(t, "GET", "shop.localhost", "/", nil), 503, "too many requests wait")
}

// TestHoldLosesNothing replaces a machine many times in the order that an app with a volume needs: hold, drain, end the
// machine, and only then start the next one. Clients of every kind send requests meanwhile, and none fails.
func TestHoldLosesNothing(t *testing.T) {
	const swaps = 25
	f := newFront(t, Config{})
	l := &load{t: t, f: f, stop: make(chan struct{})}
	now := newRelease(0)
	f.Switch("shop", []string{now.addr()})
	l.start()
	held := 0
	for v := 1; v <= swaps && l.failures.Load() == 0; v++ {
		seen := l.requests.Load()
		f.Hold("shop", forever, nil)(t.Context())
		now.ended.Store(true)
		now.server.Close()
		if n := now.late.Load(); n > 0 {
			t.Errorf("v%d got %d requests after its drain", now.version, n)
		}
		for f.Counts("shop").Held < 5 { // until five of the six clients wait
			time.Sleep(time.Millisecond)
		}
		held += f.Counts("shop").Held
		now = newRelease(v)
		l.current.Store(int64(v))
		f.Switch("shop", []string{now.addr()})
		for l.requests.Load() < seen+10 && l.failures.Load() == 0 { // some traffic on each
			time.Sleep(time.Millisecond)
		}
	}
	close(l.stop)
	l.clients.Wait()
	now.server.Close()
	t.Logf("%d requests over %d swaps, %d of them held, %d failed", l.requests.Load(), swaps, held, l.failures.Load())
}

// TestUnsentFollowsTheApp: the machine for which a request was meant has ended, and the app has moved on. Nothing of
// the request was sent, so it goes to the new place, with its body.
func TestUnsentFollowsTheApp(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, body := range []string{"", "a body that nobody else has read"} {
		f := newFront(t, Config{})
		next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
		defer next.Close()
		f.Switch("shop", []string{closed.Addr().String()})
		// The app moves at the last moment: just before the connection is refused.
		var once sync.Once
		b := f.table.apps["shop"].backends[0]
		dial := b.pool.now.DialContext
		b.pool.now.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			once.Do(func() { f.Switch("shop", []string{next.Listener.Addr().String()}) })
			return dial(ctx, network, addr)
		}
		res, got := do(t, client(t), f.request(t, "POST", "shop.localhost", "/", strings.NewReader(body)))
		if res.StatusCode != 200 || got != body {
			t.Errorf("status %d, %q; want %q", res.StatusCode, got, body)
		}
	}
}

// TestKnock: many requests come at once for an app that sleeps. Somebody is told once, all wait, and all are answered
// by the machine that comes. Whoever says again meanwhile that the app sleeps disturbs none of them.
func TestKnock(t *testing.T) {
	f := newFront(t, Config{})
	knocks := make(chan struct{}, 100)
	knock := func() { knocks <- struct{}{} }
	f.Hold("shop", forever, knock)
	var answers []<-chan string
	for range 20 {
		answers = append(answers, asks(t, f.request(t, http.MethodGet, "shop.localhost", "/", nil)))
	}
	awaitHeld(t, f, "shop", len(answers))
	<-knocks
	f.Hold("shop", forever, knock)
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "awake") })
	for _, a := range answers {
		if got := <-a; got != "200 awake" {
			t.Error(got)
		}
	}
	if n := len(knocks); n > 0 {
		t.Errorf("%d more knocks", n)
	}
	f.Hold("shop", forever, knock) // it sleeps again
	a := asks(t, f.request(t, http.MethodGet, "shop.localhost", "/", nil))
	<-knocks
	f.Down("shop", "it does not wake")
	if got := <-a; !strings.Contains(got, "it does not wake") {
		t.Error(got)
	}
}

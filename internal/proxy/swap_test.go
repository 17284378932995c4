package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// release is a backend that knows its version and counts the requests that come after its end.
type release struct {
	version int
	server  *httptest.Server
	ended   atomic.Bool // drained: no request may come any more
	late    atomic.Int64
	uploads chan struct{} // holds one token after the first upload has begun
}

func newRelease(version int) *release {
	r := &release{version: version, uploads: make(chan struct{}, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("/fast", func(w http.ResponseWriter, _ *http.Request) { r.sign(w) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, req *http.Request) {
		r.sign(w)
		for range 4 { // a response that takes its time
			io.WriteString(w, strings.Repeat("x", 1000))
			http.NewResponseController(w).Flush() //nolint:errcheck // the client compares
			select {
			case <-time.After(5 * time.Millisecond):
			case <-req.Context().Done():
			}
		}
	})
	mux.HandleFunc("/upload", func(w http.ResponseWriter, req *http.Request) {
		select {
		case r.uploads <- struct{}{}:
		default:
		}
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.sign(w)
		fmt.Fprint(w, n)
	})
	mux.Handle("/ws", websocket.Handler(func(c *websocket.Conn) { io.Copy(c, c) })) //nolint:errcheck // the client compares
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if r.ended.Load() {
			r.late.Add(1)
		}
		mux.ServeHTTP(w, req)
	}))
	return r
}

func (r *release) sign(w http.ResponseWriter) { w.Header().Set("Release", strconv.Itoa(r.version)) }

func (r *release) addr() string { return r.server.Listener.Addr().String() }

// load is what clients do while one release replaces another.
type load struct {
	t        *testing.T
	f        *front
	current  atomic.Int64 // the version that the last returned Switch named
	requests atomic.Int64
	failures atomic.Int64
	stop     chan struct{}
	clients  sync.WaitGroup
}

// run repeats one exchange until the load stops. An exchange that began after
// a Switch returned must be answered by that release or a later one.
func (l *load) run(exchange func() (version int, err error)) {
	l.clients.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			least := int(l.current.Load())
			version, err := exchange()
			l.requests.Add(1)
			if err == nil && version < least {
				err = fmt.Errorf("v%d answered a request that was sent after the switch to v%d", version, least)
			}
			if err != nil {
				l.failures.Add(1)
				l.t.Error(err)
				return
			}
		}
	})
}

// start begins one of each kind of client, and two of the most usual kind.
func (l *load) start() {
	for range 2 {
		keep := client(l.t)
		l.run(func() (int, error) { return l.get(keep, "/fast", 0) })
	}
	fresh := client(l.t)
	fresh.Transport.(*http.Transport).DisableKeepAlives = true
	l.run(func() (int, error) { return l.get(fresh, "/fast", 0) })
	slow, up := client(l.t), client(l.t)
	l.run(func() (int, error) { return l.get(slow, "/slow", 4000) })
	l.run(func() (int, error) { return l.upload(up) })
	l.run(l.talk)
}

func (l *load) get(c *http.Client, path string, size int) (int, error) {
	res, err := c.Do(l.f.request(l.t, "GET", "shop.localhost", path, nil))
	return answer(res, err, func(body []byte) bool { return len(body) == size })
}

// upload sends a body in pieces, so that swaps happen in the middle of it.
func (l *load) upload(c *http.Client) (int, error) {
	const pieces, size = 8, 4000
	r, w := io.Pipe()
	go func() {
		for range pieces {
			w.Write(bytes.Repeat([]byte("u"), size)) //nolint:errcheck // the server counts
			time.Sleep(3 * time.Millisecond)         // a slow line, not a wait for something
		}
		w.Close()
	}()
	res, err := c.Do(l.f.request(l.t, "POST", "shop.localhost", "/upload", r))
	return answer(res, err, func(body []byte) bool { return string(body) == strconv.Itoa(pieces*size) })
}

func answer(res *http.Response, err error, right func([]byte) bool) (int, error) {
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if res.StatusCode != 200 || !right(body) {
		return 0, fmt.Errorf("status %d, %d bytes: %.80s", res.StatusCode, len(body), body)
	}
	return strconv.Atoi(res.Header.Get("Release"))
}

// talk echoes a few messages over one WebSocket. It does not check which release answers: an upgraded connection stays
// where it began.
func (l *load) talk() (int, error) {
	c, err := dialWebSocket(l.f)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for i := range 5 {
		if err := echo(c, fmt.Sprintf("message %d", i)); err != nil {
			return 0, err
		}
		time.Sleep(3 * time.Millisecond) // a talk takes time; swaps happen in it
	}
	return int(l.current.Load()), nil
}

func dialWebSocket(f *front) (*websocket.Conn, error) {
	cfg, err := websocket.NewConfig("ws://"+f.addr+"/ws", "http://shop.localhost")
	if err != nil {
		return nil, err
	}
	cfg.Location.Host = "shop.localhost"
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		return nil, err
	}
	return websocket.NewClient(cfg, conn)
}

func echo(c *websocket.Conn, text string) error {
	if err := websocket.Message.Send(c, text); err != nil {
		return fmt.Errorf("websocket send: %w", err)
	}
	var back string
	if err := websocket.Message.Receive(c, &back); err != nil {
		return fmt.Errorf("websocket receive: %w", err)
	}
	if back != text {
		return fmt.Errorf("websocket echo %q, want %q", back, text)
	}
	return nil
}

// TestSwapLosesNothing swaps many times under load of every kind. Each old
// backend is shut down as soon as its drain returns, as a machine would be.
func TestSwapLosesNothing(t *testing.T) {
	const swaps = 40
	f := newFront(t, Config{})
	l := &load{t: t, f: f, stop: make(chan struct{})}
	first := newRelease(0)
	f.Switch("shop", []string{first.addr()})
	all := []*release{first}

	l.start()
	var drains sync.WaitGroup
	for v := 1; v <= swaps; v++ {
		seen := l.requests.Load()
		old, next := all[v-1], newRelease(v)
		all = append(all, next)
		drain := f.Switch("shop", []string{next.addr()})
		l.current.Store(int64(v))
		drains.Go(func() {
			drain(t.Context())
			old.ended.Store(true)
			old.server.Close()
		})
		for l.requests.Load() < seen+10 && l.failures.Load() == 0 { // some traffic on each
			time.Sleep(time.Millisecond)
		}
	}
	close(l.stop)
	l.clients.Wait()
	drains.Wait()
	all[swaps].server.Close()
	for _, r := range all {
		if n := r.late.Load(); n > 0 {
			t.Errorf("v%d got %d requests after its drain", r.version, n)
		}
	}
	t.Logf("%d requests over %d swaps, %d failed", l.requests.Load(), swaps, l.failures.Load())
}

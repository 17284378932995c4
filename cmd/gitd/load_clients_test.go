package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/websocket"
)

// kind is one way to use the app.
type kind struct {
	name    string
	clients int           // how many use the app in this way at the same time
	pace    time.Duration // the least time from one request of a client to its next
	keep    bool          // whether connections are kept
	do      func(l *load, c *http.Client) (version string, err error)
}

// kinds are few clients: on an emulated processor, more load would measure nothing but the queue.
var kinds = []kind{
	{"GET, kept connection", 2, 200 * time.Millisecond, true, (*load).get},
	{"GET, fresh connection", 2, 200 * time.Millisecond, false, (*load).get},
	{"GET, an answer of 1.5 s", 2, 0, true, (*load).slow},
	{"POST, an upload of 1.5 s", 2, 0, true, (*load).upload},
	{"event stream of 2 s", 1, 0, false, (*load).events},
	{"WebSocket, 15 echoes in 3 s", 1, 0, false, (*load).echo},
}

// result is one request.
type result struct {
	kind     string
	begun    time.Time
	took     time.Duration
	swapping bool // a push ran at the same time
	err      error
}

// load is the clients of one app, and what became of their requests.
type load struct {
	r     *rig
	app   string
	begun time.Time
	live  atomic.Int64 // the version that the last finished push made live
	end   chan struct{}
	work  sync.WaitGroup

	mu      sync.Mutex
	results []result
	pushes  [][2]time.Time
}

func startLoad(r *rig, app string) *load {
	l := &load{r: r, app: app, begun: time.Now(), end: make(chan struct{})}
	l.live.Store(1)
	for _, k := range kinds {
		for range k.clients {
			l.work.Go(func() { l.run(k, r.client(k.keep)) })
		}
	}
	return l
}

// run is the work of one client.
func (l *load) run(k kind, c *http.Client) {
	for {
		next := time.After(k.pace)
		live, begun := l.live.Load(), time.Now()
		version, err := k.do(l, c)
		if n := number(version); err == nil && n < live {
			err = fmt.Errorf("answered by v%d when v%d was live", n, live)
		}
		l.mu.Lock()
		l.results = append(l.results, result{kind: k.name, begun: begun, took: time.Since(begun), err: err})
		l.mu.Unlock()
		select {
		case <-l.end:
			return
		case <-next:
		}
	}
}

// number returns the N of "vN". It is larger than any version if the answer names none, so that such an answer is not
// checked.
func number(version string) int64 {
	var n int64 = 1 << 62
	fmt.Sscanf(version, "v%d", &n) //nolint:errcheck // the number stays as it was
	return n
}

// swapped notes a push.
func (l *load) swapped(from, to time.Time, version int) {
	l.live.Store(int64(version))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pushes = append(l.pushes, [2]time.Time{from, to})
}

// stop ends the load and returns what became of each request.
func (l *load) stop() []result {
	close(l.end)
	l.work.Wait()
	for i := range l.results {
		res := &l.results[i]
		for _, p := range l.pushes {
			if res.begun.Before(p[1]) && res.begun.Add(res.took).After(p[0]) {
				res.swapping = true
			}
		}
	}
	return l.results
}

func (l *load) get(c *http.Client) (string, error) {
	return l.ask(c, http.MethodGet, "/", nil)
}

// ask makes a request and reads all of its answer.
func (l *load) ask(c *http.Client, method, path string, body io.Reader) (string, error) {
	req, err := l.r.request(method, l.app, path, body)
	if err != nil {
		return "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", fmt.Errorf("after %d bytes of the answer: %w", len(b), err)
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", res.StatusCode, firstLine(string(b)))
	}
	return string(b), nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}

// slow asks for an answer that begins at once and ends later. The same release must send both parts.
func (l *load) slow(c *http.Client) (string, error) {
	text, err := l.ask(c, http.MethodGet, "/slow?ms=1500", nil)
	if err != nil {
		return "", err
	}
	version, _, _ := strings.Cut(text, " ")
	if text != version+" begins\n"+version+" ends\n" {
		return "", fmt.Errorf("half an answer: %q", text)
	}
	return version, nil
}

// upload sends 5 parts of 42 KB, one each 300 ms.
func (l *load) upload(c *http.Client) (string, error) {
	part := bytes.Repeat([]byte("upload "), 6000)
	sum := sha256.New()
	r, w := io.Pipe()
	go func() {
		for range 5 {
			sum.Write(part)
			if _, err := w.Write(part); err != nil {
				return // the request has failed, and its error says why
			}
			time.Sleep(300 * time.Millisecond) // this client is slow on purpose
		}
		w.Close()
	}()
	text, err := l.ask(c, http.MethodPost, "/upload", r)
	if err != nil {
		r.CloseWithError(err)
		return "", err
	}
	if want := fmt.Sprintf("%x\n", sum.Sum(nil)); text != want {
		return "", errors.New("the upload arrived changed")
	}
	return "", nil
}

// events reads an event stream to its end.
func (l *load) events(c *http.Client) (string, error) {
	text, err := l.ask(c, http.MethodGet, "/events?n=10&ms=200", nil)
	if n := strings.Count(text, "data: "); err == nil && n != 10 {
		err = fmt.Errorf("%d of 10 events", n)
	}
	return "", err
}

// echo sends messages over a WebSocket and compares the answers.
func (l *load) echo(*http.Client) (string, error) {
	conn, err := net.DialTimeout("tcp", l.r.http, 10*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(eventLimit)); err != nil {
		return "", err
	}
	cfg, err := websocket.NewConfig("ws://"+l.app+".localhost/", "http://"+l.app+".localhost/")
	if err != nil {
		return "", err
	}
	ws, err := websocket.NewClient(cfg, conn)
	if err != nil {
		return "", err
	}
	for i := range 15 {
		var got, want = "", fmt.Sprint("echo ", i)
		err := errors.Join(websocket.Message.Send(ws, want), websocket.Message.Receive(ws, &got))
		if err != nil || got != want {
			return "", fmt.Errorf("echo %d: %q, %w", i, got, err)
		}
		time.Sleep(200 * time.Millisecond) // people type
	}
	return "", nil
}

// quantiles returns the median and the 99th percentile, as text.
func quantiles(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[int(q*float64(len(d)-1))].Round(100 * time.Microsecond) }
	return fmt.Sprintf("%s, %s (%d)", at(0.5), at(0.99), len(d))
}

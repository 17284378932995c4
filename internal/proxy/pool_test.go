package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// idler is an app on a raw socket. It answers each POST with its body, and says when a connection was closed.
type idler struct {
	net.Listener
	head  string        // lines of each answer's header, with their ends
	proto string        // of the answers
	keeps time.Duration // closes a connection that is idle for so long

	mu    sync.Mutex
	conns int // accepted
	own   int // closed by the app, because they were idle
	done  chan struct{}
}

func newIdler(t *testing.T, f *front, proto, head string, keeps time.Duration) *idler {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &idler{Listener: l, head: head, proto: proto, keeps: keeps, done: make(chan struct{}, 100)}
	t.Cleanup(func() { l.Close() })
	f.Switch("shop", []string{l.Addr().String()})
	go a.accept()
	return a
}

func (a *idler) accept() {
	for {
		conn, err := a.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.conns++
		a.mu.Unlock()
		go a.serve(conn)
	}
}

func (a *idler) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		a.done <- struct{}{}
	}()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			a.mu.Lock()
			a.own++
			a.mu.Unlock()
		}
		if err != nil {
			return
		}
		conn.SetReadDeadline(time.Time{}) //nolint:errcheck // the next read tells
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "%s 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", a.proto, a.head, len(body), body)
		if r.Close {
			return
		}
		conn.SetReadDeadline(time.Now().Add(a.keeps)) //nolint:errcheck // likewise
	}
}

func (a *idler) counted() (conns, own int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.conns, a.own
}

func (f *front) post(t *testing.T, c *http.Client) {
	t.Helper()
	res, body := do(t, c, f.request(t, "POST", "shop.localhost", "/", strings.NewReader("order")))
	if res.StatusCode != 200 || body != "order" {
		t.Errorf("a POST is lost: status %d, %q", res.StatusCode, body)
	}
}

// TestKeepAlive: an app with `server.keepAliveTimeout = 1000` lost POSTs (502): the front door kept an idle connection
// for 3 s, and sent the next POST on it while the app was closing it. It closes the connection before the app does.
func TestKeepAlive(t *testing.T) {
	f := newFront(t, Config{})
	a := newIdler(t, f, "HTTP/1.1", "Connection: keep-alive\r\nKeep-Alive: timeout=1\r\n", time.Second)
	c := client(t)
	for range 3 {
		f.post(t, c)
		<-a.done
	}
	if conns, own := a.counted(); conns != 3 || own != 0 {
		t.Errorf("%d connections, %d of them closed by the app; want 3 and 0", conns, own)
	}
}

// TestKeepAliveOfManyConnections: the connections on which the answers of one moment came are all idle under what the
// app has said.
func TestKeepAliveOfManyConnections(t *testing.T) {
	f := newFront(t, Config{})
	a := newIdler(t, f, "HTTP/1.1", "Keep-Alive: max=9, timeout=1\r\n", time.Second)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { f.post(t, client(t)) })
	}
	wg.Wait()
	conns, _ := a.counted()
	for range conns {
		<-a.done
	}
	if _, own := a.counted(); own != 0 {
		t.Errorf("%d of %d connections were closed by the app", own, conns)
	}
}

// TestNoKeepAlive: a connection that an app does not keep is not used again, and others are.
func TestNoKeepAlive(t *testing.T) {
	for name, tt := range map[string]struct {
		proto, head string
		again       bool
	}{
		"HTTP/1.0":              {"HTTP/1.0", "", false},
		"HTTP/1.0, kept":        {"HTTP/1.0", "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", true},
		"closed":                {"HTTP/1.1", "Connection: close\r\n", false},
		"kept for no time":      {"HTTP/1.1", "Keep-Alive: timeout=0\r\n", false},
		"kept without a word":   {"HTTP/1.1", "", true},
		"not a number":          {"HTTP/1.1", "Keep-Alive: timeout=soon\r\n", true},
		"kept for a long time":  {"HTTP/1.1", "Keep-Alive: timeout=99999999999999999999\r\n", true},
		"kept for less than no": {"HTTP/1.1", "Keep-Alive: timeout=-1\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, Config{})
			a := newIdler(t, f, tt.proto, tt.head, time.Minute)
			c := client(t)
			// A connection is idle a moment after the client has its answer: the next request may come before that.
			again := false
			for posts := 1; posts <= 20 && !again; posts++ {
				f.post(t, c)
				conns, _ := a.counted()
				again = conns < posts
			}
			if again != tt.again {
				t.Errorf("a connection was used again: %t", again)
			}
		})
	}
}

// TestSmallestKeepAlive: the pool believes the smallest time that it has heard, and an app cannot make it begin anew
// with each answer.
func TestSmallestKeepAlive(t *testing.T) {
	p := newPool("/nowhere", time.Second)
	first := p.current()
	for _, tt := range []struct{ allows, idle time.Duration }{
		{time.Minute, 3 * time.Second}, {5 * time.Second, 3 * time.Second},
		{2 * time.Second, 1200 * time.Millisecond}, {4 * time.Second, 1200 * time.Millisecond},
	} {
		p.keepFor(tt.allows)
		if got := p.current().IdleConnTimeout; got != tt.idle {
			t.Errorf("after %s, idle connections live for %s, want %s", tt.allows, got, tt.idle)
		}
	}
	if second := p.current(); first == second || second.DisableKeepAlives {
		t.Error("the transport does not change as it should")
	}
	p.keepFor(0)
	if !p.current().DisableKeepAlives {
		t.Error("timeout=0 keeps connections")
	}
}

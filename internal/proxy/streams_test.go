package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/websocket"
)

// TestStreams: in each protocol, an event reaches the client while the app goes on, and a piece of an upload reaches
// the app while the client goes on: nothing waits for the end.
func TestStreams(t *testing.T) {
	f := newSecureFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex() //nolint:errcheck // httptest's server can
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, "got", lines.Text())
			http.NewResponseController(w).Flush() //nolint:errcheck // the client may be gone
		}
	})
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			if protocol == "HTTP/1.1" {
				f.events(t, protocol) // Go's client does not read before it has sent all
				return
			}
			body, upload := io.Pipe()
			go io.WriteString(upload, "one\n") //nolint:errcheck // the test reads what comes back
			res, err := f.client(t, protocol).Do(f.post(t, "/", body))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			lines := bufio.NewScanner(res.Body)
			for _, want := range []string{"one", "two", "three"} {
				if !lines.Scan() || lines.Text() != "got "+want {
					t.Fatalf("%q, want %s: %v", lines.Text(), want, lines.Err())
				}
				next := map[string]string{"one": "two\n", "two": "three\n"}[want]
				go io.WriteString(upload, next) //nolint:errcheck // likewise
			}
			upload.Close()
			if lines.Scan() {
				t.Errorf("more came: %q", lines.Text())
			}
		})
	}
}

// events: an event stream reaches the client event by event.
func (f *secureFront) events(t *testing.T, protocol string) {
	more := make(chan struct{})
	f.app(t, "events", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			http.NewResponseController(w).Flush() //nolint:errcheck // the client may be gone
			<-more
		}
	})
	r := f.post(t, "/", nil)
	r.URL.Host, r.Host = "events.localhost", ""
	res, err := f.client(t, protocol).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for i := range 3 {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
			t.Fatalf("%q: %v", lines.Text(), lines.Err())
		}
		more <- struct{}{}
	}
}

// TestSecureWebSocket: a WebSocket goes through TLS.
func TestSecureWebSocket(t *testing.T) {
	f := newSecureFront(t, Config{})
	f.app(t, "shop", websocket.Handler(func(ws *websocket.Conn) { io.Copy(ws, ws) }).ServeHTTP) //nolint:errcheck // it ends with the client
	conn, err := tls.Dial("tcp", f.tls, &tls.Config{RootCAs: f.roots, ServerName: "shop.localhost", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cfg, err := websocket.NewConfig("wss://shop.localhost/", "https://shop.localhost/")
	if err != nil {
		t.Fatal(err)
	}
	ws, err := websocket.NewClient(cfg, conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		if err := websocket.Message.Send(ws, text); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := websocket.Message.Receive(ws, &got); err != nil || got != text {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// TestEarlyAnswer: an app that answers before it has read an upload does not end the other requests of the connection.
func TestEarlyAnswer(t *testing.T) {
	f := newSecureFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuses" {
			w.Header().Set("Connection", "close") // otherwise Go's server reads the rest first, which Node does not
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		io.Copy(w, r.Body)
	})
	for _, protocol := range protocols[1:] {
		t.Run(protocol, func(t *testing.T) {
			c := f.client(t, protocol)
			body, upload := io.Pipe()
			defer upload.Close()
			go io.WriteString(upload, "begun") //nolint:errcheck // nobody reads it
			res, err := c.Do(f.post(t, "/refuses", body))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge || res.Header.Get("Connection") != "" {
				t.Errorf("%s, %v", res.Status, res.Header)
			}
			if res, text := do(t, c, f.post(t, "/", strings.NewReader("next"))); text != "next" {
				t.Errorf("the next request: %s %q", res.Status, text)
			}
		})
	}
}

// TestStalledStreams: a client that takes nothing of one answer, or sends nothing more of one upload, loses this
// request, and the app's connection is free. Other requests of the connection go on.
func TestStalledStreams(t *testing.T) {
	f := newSecureFront(t, Config{stall: 200 * time.Millisecond})
	ended := make(chan string, 10)
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			for _, err := io.WriteString(w, "x"); err == nil; {
				_, err = w.Write(make([]byte, 64<<10))
			}
		case "/upload":
			io.Copy(io.Discard, r.Body) //nolint:errcheck // that it ends is what counts
		}
		ended <- r.URL.Path
	})
	for _, protocol := range protocols[1:] {
		t.Run(protocol, func(t *testing.T) {
			c := f.client(t, protocol)
			large, err := c.Do(f.post(t, "/large", nil))
			if err != nil {
				t.Fatal(err)
			}
			defer large.Body.Close()
			waitEnded(t, ended, "/large")
			body, upload := io.Pipe()
			defer upload.Close()
			go io.WriteString(upload, "begun") //nolint:errcheck // the app may have gone
			res, err := c.Do(f.post(t, "/upload", body))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusRequestTimeout {
				t.Errorf("a stalled upload: %s", res.Status)
			}
			waitEnded(t, ended, "/upload")
			if res, _ := do(t, c, f.post(t, "/", nil)); res.StatusCode != http.StatusOK {
				t.Errorf("the next request: %s", res.Status)
			}
			waitEnded(t, ended, "/")
		})
	}
}

func waitEnded(t *testing.T, ended <-chan string, want string) {
	t.Helper()
	select {
	case got := <-ended:
		if got != want {
			t.Fatalf("%s has ended, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not end", want)
	}
}

// TestCrowdedStreams: the requests on one connection count as connections do, so a client cannot have more of a machine
// through one connection than through many.
func TestCrowdedStreams(t *testing.T) {
	f := newSecureFront(t, Config{Limits: Limits{Conns: 40, ConnsFrom: 10}})
	begun, end := make(chan struct{}, 100), make(chan struct{})
	f.app(t, "shop", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			begun <- struct{}{}
			<-end
		}
	})
	for _, protocol := range protocols[1:] {
		t.Run(protocol, func(t *testing.T) {
			c := f.client(t, protocol)
			do(t, c, f.post(t, "/first", nil)) // a client that has no connection yet may open several
			status := make(chan int, 20)
			for range 20 {
				go func() {
					res, err := c.Do(f.post(t, "/", nil))
					if err != nil {
						t.Error(err)
						status <- 0
						return
					}
					res.Body.Close()
					status <- res.StatusCode
				}()
			}
			for range 11 { // one place is the connection's own
				if s := <-status; s != http.StatusServiceUnavailable {
					t.Errorf("one too many: %d", s)
				}
			}
			for range 9 {
				<-begun
				end <- struct{}{}
				if s := <-status; s != http.StatusOK {
					t.Errorf("one that has a place: %d", s)
				}
			}
		})
	}
}

// TestSlowHandshakes: clients that connect and never finish their handshake make room for those that do.
func TestSlowHandshakes(t *testing.T) {
	f := newSecureFront(t, Config{Limits: Limits{Conns: 12, ConnsFrom: 6}})
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) {})
	for range 50 {
		conn, err := net.Dial("tcp", f.tls)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "\x16\x03\x01") //nolint:errcheck // it may be turned away
	}
	if res, _ := do(t, f.client(t, "HTTP/2.0"), f.post(t, "/", nil)); res.StatusCode != http.StatusOK {
		t.Errorf("a client that finishes: %s", res.Status)
	}
	for range 50 {
		conn, err := quic.DialAddr(t.Context(), f.tls, &tls.Config{RootCAs: f.roots, ServerName: "shop.localhost", NextProtos: []string{"h3"}}, nil)
		if err != nil {
			t.Fatalf("an idle connection of QUIC: %v", err)
		}
		defer conn.CloseWithError(0, "") //nolint:errcheck // it may be closed
	}
	if res, _ := do(t, f.client(t, "HTTP/3.0"), f.post(t, "/", nil)); res.StatusCode != http.StatusOK {
		t.Errorf("a client beside idle ones: %s", res.Status)
	}
	f.crowd.mu.Lock()
	defer f.crowd.mu.Unlock()
	if f.crowd.conns > 12 {
		t.Errorf("%d connections are counted", f.crowd.conns)
	}
}

// TestQUICForgets: a client of QUIC that has gone leaves nothing behind in the crowd.
func TestQUICForgets(t *testing.T) {
	f := newSecureFront(t, Config{})
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) {})
	for range 3 {
		c := f.client(t, "HTTP/3.0")
		do(t, c, f.post(t, "/", nil))
		c.CloseIdleConnections()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		f.crowd.mu.Lock()
		left, sources, waiting := f.crowd.conns, len(f.crowd.sources), f.crowd.waiting.Len()
		f.crowd.mu.Unlock()
		if left == 0 && sources == 0 && waiting == 0 && f.crowd.shaking.Load() == 0 {
			return
		}
	}
	t.Error("the crowd still has them")
}

// TestAnnounced: an answer by HTTPS says that there is HTTP/3, and to keep to HTTPS; one in plain does not.
func TestAnnounced(t *testing.T) {
	f := newSecureFront(t, Config{Secure: Secure{QUIC: "443", HSTS: time.Hour, Has: func(string) bool { return false }}})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w.Header().Set("Strict-Transport-Security", "max-age=0")
		}
	})
	for path, want := range map[string]string{"/": "max-age=3600", "/own": "max-age=0"} {
		res, _ := do(t, f.client(t, "HTTP/2.0"), f.post(t, path, nil))
		if got := res.Header.Values("Strict-Transport-Security"); len(got) != 1 || got[0] != want || res.Header.Get("Alt-Svc") != `h3=":443"; ma=86400` {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
	res, _ := do(t, client(t), f.request(t, http.MethodGet, "shop.localhost", "/", nil))
	if res.Header.Get("Strict-Transport-Security") != "" || res.Header.Get("Alt-Svc") != "" {
		t.Errorf("in plain: %v", res.Header)
	}
}

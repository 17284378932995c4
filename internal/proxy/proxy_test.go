package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// front is a front door that listens, for one test.
type front struct {
	*Proxy
	addr string
}

func newFront(t testing.TB, cfg Config) *front {
	t.Helper()
	cfg.Domain, cfg.Log = "localhost", zerolog.Nop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{New(cfg), l.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- f.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f
}

// app starts a real backend and sends app's traffic to it.
func (f *front) app(t testing.TB, app string, h http.HandlerFunc) (s *httptest.Server, drain func(context.Context)) {
	t.Helper()
	s = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, f.Switch(app, []string{s.Listener.Addr().String()})
}

func (f *front) request(t testing.TB, method, host, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	return r
}

// client returns a client with connections of its own, which are closed at the end of the test.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func do(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestAnswersWithoutApp(t *testing.T) {
	f := newFront(t, Config{ResponseTimeout: 50 * time.Millisecond})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	f.Switch("refuses", []string{closed.Addr().String()})
	f.Down("down", `its machine ended: <script>alert("x")</script>`)
	f.app(t, "gone", func(http.ResponseWriter, *http.Request) {})
	f.Remove("gone")
	f.app(t, "hangs", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	f.app(t, "breaks", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })

	tests := []struct {
		method, host string
		status       int
		want         string
	}{
		{"GET", "localhost", 200, "Node.js apps"},
		{"GET", "nope.localhost", 404, "There is no app here"},
		{"GET", "gone.localhost", 404, "There is no app here"},
		{"GET", "evil.example.com", 404, "There is no app here"},
		{"GET", "x.localhost", 404, "There is no app here"},
		{"GET", "down.localhost", 503, "its machine ended"},
		{"GET", "refuses.localhost", 502, "connection to it failed"},
		{"POST", "refuses.localhost", 502, "connection to it failed"},
		{"GET", "breaks.localhost", 502, "connection to it failed"},
		{"GET", "hangs.localhost", 504, "in time"},
		{"CONNECT", "refuses.localhost", 405, "No tunnels"},
	}
	for _, tt := range tests {
		for _, accept := range []string{"*/*", "text/html,*/*"} {
			r := f.request(t, tt.method, tt.host, "/secret?a=b", nil)
			r.Header.Set("Accept", accept)
			checkAnswer(t, r, tt.status, tt.want)
		}
	}
}

func checkAnswer(t *testing.T, r *http.Request, status int, want string) {
	t.Helper()
	res, body := do(t, client(t), r)
	if res.StatusCode != status || !strings.Contains(body, want) {
		t.Errorf("%s %s: %d %q, want %d %q", r.Method, r.Host, res.StatusCode, body, status, want)
	}
	if strings.Contains(res.Header.Get("Content-Type"), "html") && strings.Contains(body, "<script") {
		t.Errorf("%s: not escaped: %s", r.Host, body)
	}
	if (res.StatusCode == 503) != (res.Header.Get("Retry-After") != "") {
		t.Errorf("%s: Retry-After %q with status %d", r.Host, res.Header.Get("Retry-After"), res.StatusCode)
	}
}

// TestForwarded: the app sees the request as the client sent it, and learns about the client only what the front door
// says.
func TestForwarded(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s\nhost %s\n", r.Method, r.RequestURI, r.Host)
		r.Header.Write(w) //nolint:errcheck // compared below
	})
	for _, target := range []string{"/", "/a%2Fb?x=1;y=%zz&&z", "//evil.example.com/", "/?", "/a/../b", "/%00"} {
		status, body := rawRequest(t, f.addr, "GET "+target+" HTTP/1.1\r\nHost: Shop.localhost:81\r\n"+
			"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /x\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"+
			"Connection: close, X-Hop\r\nX-Hop: 1\r\nUpgrade: h2c\r\nTe: trailers\r\nCookie: a=b\r\n\r\n")
		if status != 200 {
			t.Fatalf("%s: status %d", target, status)
		}
		for _, want := range []string{"GET " + target + "\n", "host Shop.localhost:81\n", "Cookie: a=b\r\n",
			"X-Forwarded-For: 127.0.0.1\r\n", "X-Forwarded-Proto: http\r\n", "X-Forwarded-Host: Shop.localhost:81\r\n"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the app does not see %q in\n%s", target, want, body)
			}
		}
		for _, bad := range []string{"1.2.3.4", "X-Hop", "h2c", "/x\r", "Accept-Encoding", "User-Agent"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s: the app sees %q in\n%s", target, bad, body)
			}
		}
	}
	_, body := rawRequest(t, f.addr, "GET http://user:pass@shop.localhost/p HTTP/1.1\r\nHost: other.localhost\r\nConnection: close\r\n\r\n")
	if !strings.Contains(body, "GET /p\nhost shop.localhost\n") || strings.Contains(body, "Authorization") {
		t.Errorf("absolute target: %s", body)
	}
}

// rawRequest sends bytes that net/http's client would not send.
func rawRequest(t *testing.T, addr, text string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestStream: each event reaches the client before the next one is made.
func TestStream(t *testing.T) {
	f := newFront(t, Config{})
	next := make(chan int)
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range next {
			fmt.Fprintf(w, "data: %d\n\n", n)
			http.NewResponseController(w).Flush() //nolint:errcheck // the reader notices
		}
	})
	go func() { next <- 0 }()
	res, err := client(t).Do(f.request(t, "GET", "shop.localhost", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for n := range 5 {
		if n > 0 {
			next <- n
		}
		if want := fmt.Sprintf("data: %d", n); !lines.Scan() || lines.Text() != want {
			t.Fatalf("event %q, want %q (%v)", lines.Text(), want, lines.Err())
		}
		lines.Scan()
	}
	close(next)
}

// TestBothDirections: the app answers while the client still sends, each
// piece in turn.
func TestBothDirections(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex() //nolint:errcheck // as Node does
		rc.Flush()            //nolint:errcheck // the reader notices
		p := make([]byte, 10)
		for {
			n, err := r.Body.Read(p)
			w.Write(p[:n])
			rc.Flush() //nolint:errcheck // the reader notices
			if err != nil {
				return
			}
		}
	})
	r, w := io.Pipe()
	defer w.Close()
	res, err := client(t).Do(f.request(t, "POST", "shop.localhost", "/", r))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for i := range 3 {
		text := fmt.Sprintf("piece %d", i)
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
		back := make([]byte, len(text))
		if _, err := io.ReadFull(res.Body, back); err != nil || string(back) != text {
			t.Fatalf("echo %q, %v", back, err)
		}
	}
}

// TestRefusedUpload: the app answers without reading what is sent to it, and
// the client's later requests are not disturbed.
func TestRefusedUpload(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		io.Copy(w, r.Body)
	})
	c := client(t)
	for _, size := range []int{1, 100 << 10, 1 << 20} {
		res, _ := do(t, c, f.request(t, "POST", "shop.localhost", "/refuse", strings.NewReader(strings.Repeat("x", size))))
		if res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("refused upload of %d: status %d", size, res.StatusCode)
		}
		if res, body := do(t, c, f.request(t, "POST", "shop.localhost", "/", strings.NewReader("x"))); res.StatusCode != 200 || body != "x" {
			t.Errorf("after it: status %d, %q", res.StatusCode, body)
		}
	}
}

// TestStaleConnection: the app closes an idle connection, as Node does after
// five seconds; the next request must not fail on it.
func TestStaleConnection(t *testing.T) {
	f := newFront(t, Config{})
	s, _ := f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	c := client(t)
	for range 20 {
		if res, _ := do(t, c, f.request(t, "GET", "shop.localhost", "/", nil)); res.StatusCode != 200 {
			t.Fatalf("status %d", res.StatusCode)
		}
		s.CloseClientConnections()
	}
}

// TestClientLeaves: the app learns that nobody waits for its answer any more, and the request is no longer counted.
func TestClientLeaves(t *testing.T) {
	f := newFront(t, Config{})
	arrived, left := make(chan struct{}), make(chan struct{})
	f.app(t, "shop", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := client(t).Do(f.request(t, "GET", "shop.localhost", "/", nil).WithContext(ctx)); err == nil {
		t.Error("answered")
	}
	<-left
	_, drain := f.app(t, "shop", func(http.ResponseWriter, *http.Request) {})
	drain(t.Context())
}

// TestShutdown: a request that runs when the daemon ends is answered, and a new one is not accepted.
func TestShutdown(t *testing.T) {
	p := New(Config{Domain: "localhost", Log: zerolog.Nop()})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{p, l.Addr().String()}
	arrived, answer := make(chan struct{}), make(chan struct{})
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-answer
		io.WriteString(w, "done")
	})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, l) }()
	go func() {
		<-arrived
		cancel()
		for { // until the listener is closed
			c, err := net.Dial("tcp", f.addr)
			if err != nil {
				break
			}
			c.Close()
		}
		close(answer)
	}()
	if _, body := do(t, client(t), f.request(t, "GET", "shop.localhost", "/", nil)); body != "done" {
		t.Errorf("body %q", body)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestListenerFails(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := New(Config{Domain: "localhost", Log: zerolog.Nop()}).Serve(t.Context(), l); err == nil {
		t.Error("served on a closed listener")
	}
}

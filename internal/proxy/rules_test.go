package proxy

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

// ada gets in with this password.
const password = "correct horse"

func ada(t testing.TB) []rules.User {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return []rules.User{{Name: "ada", Hash: string(hash)}}
}

// all are rules of every kind, which let ada in from here.
func allRules(t testing.TB) rules.Set {
	return rules.Set{
		Users: ada(t), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Limits: rules.Limits{
			Requests: rules.Rate{N: 1e6, Per: time.Second}, RequestsFrom: rules.Rate{N: 1e6, Per: time.Second}, Body: 64 << 20, Connections: 100,
		},
	}
}

// TestWhoTheAppSees: the app sees whose password it was, and not the password; and nobody claims to be somebody.
func TestWhoTheAppSees(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s", r.Header.Get("X-Forwarded-User"), r.Header.Get("Authorization"))
	})
	ask := func(user, sent string) (*http.Response, string) {
		r := f.request(t, "GET", "shop.localhost", "/", nil)
		r.Header.Set("X-Forwarded-User", "root")
		if user != "" {
			r.SetBasicAuth(user, sent)
		}
		return do(t, client(t), r)
	}
	if _, body := ask("eve", "x"); body != "|Basic "+base64.StdEncoding.EncodeToString([]byte("eve:x")) {
		t.Errorf("without rules, the app sees %q", body)
	}
	f.Rules("shop", rules.Set{Users: ada(t)})
	if _, body := ask("ada", password); body != "ada|" {
		t.Errorf("the app sees %q", body)
	}
	res, _ := ask("", "")
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != `Basic realm="shop", charset="UTF-8"` {
		t.Errorf("without a password: %s, %v", res.Status, res.Header)
	}
	if res, _ := ask("ada", "guess"); res.StatusCode != http.StatusUnauthorized || res.Header.Get(origin.IDHeader) == "" {
		t.Errorf("with a wrong one: %s", res.Status)
	}
	f.Remove("shop") // an app of the same name later has rules of its own
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "another") })
	if _, body := ask("", ""); body != "another" {
		t.Errorf("an app that got the name later: %q", body)
	}
}

// TestLongBodies: a body that says its length is refused before the app sees it; one that does not, when it goes on.
func TestLongBodies(t *testing.T) {
	f := newFront(t, Config{})
	got := make(chan int64, 10)
	f.app(t, "shop", func(_ http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		got <- n
	})
	f.Rules("shop", rules.Set{Limits: rules.Limits{Body: 1000}})
	send := func(n int, chunked bool) int {
		var body io.Reader = strings.NewReader(strings.Repeat("x", n))
		if chunked {
			body = io.MultiReader(body)
		}
		res, _ := do(t, client(t), f.request(t, "POST", "shop.localhost", "/", body))
		return res.StatusCode
	}
	for _, chunked := range []bool{false, true} {
		if status := send(1000, chunked); status != 200 || <-got != 1000 {
			t.Errorf("as long as may be: %d", status)
		}
	}
	if status := send(1001, false); status != 413 || len(got) > 0 {
		t.Errorf("longer: %d, and the app saw %d", status, len(got))
	}
	for _, n := range []int{1001, 1 << 20} {
		if status := send(n, true); status != 413 {
			t.Errorf("%d bytes in chunks: %d", n, status)
		}
		if n := <-got; n > 1000 {
			t.Errorf("the app got %d bytes", n)
		}
	}
	if n := f.Refused()["shop"][rules.LimitBody]; n != 3 {
		t.Errorf("%d were refused, want 3", n)
	}
}

// TestOwnPages: visitors who read HTML see the app's page where the front door answers, others a line; what the app
// answers stays.
func TestOwnPages(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the app's own", http.StatusServiceUnavailable)
	})
	f.Rules("shop", rules.Set{Pages: map[int]string{503: "<p>ours</p>", 403: "<p>not you</p>"}})
	ask := func(accept string) (*http.Response, string) {
		r := f.request(t, "GET", "shop.localhost", "/", nil)
		r.Header.Set("Accept", accept)
		return do(t, client(t), r)
	}
	if _, body := ask("text/html"); body != "the app's own\n" {
		t.Errorf("the app's answer is %q", body)
	}
	f.Down("shop", "it has gone")
	res, body := ask("text/html,*/*")
	if res.StatusCode != 503 || body != "<p>ours</p>" || res.Header.Get("Retry-After") == "" ||
		!strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("%s, %q, %v", res.Status, body, res.Header)
	}
	if _, body := ask("*/*"); !strings.Contains(body, "it has gone") {
		t.Errorf("for a program: %q", body)
	}
	f.Rules("shop", rules.Set{Maintenance: &rules.Maintenance{Retry: 90 * time.Second}, Pages: map[int]string{503: "<p>ours</p>"}})
	if res, body := ask("text/html"); body != "<p>ours</p>" || res.Header.Get("Retry-After") != "90" {
		t.Errorf("in maintenance: %q, %v", body, res.Header)
	}
	f.Rules("shop", rules.Set{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Pages: map[int]string{403: "<p>not you</p>"}})
	if res, body := ask("text/html"); res.StatusCode != 403 || body != "<p>not you</p>" {
		t.Errorf("%s, %q", res.Status, body)
	}
}

// TestRulesChangeAtOnce: a change holds from the next request on, on connections that are open too. What runs goes on.
func TestRulesChangeAtOnce(t *testing.T) {
	f := newFront(t, Config{})
	began, goOn := make(chan bool), make(chan bool)
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- true
			<-goOn
		}
		io.WriteString(w, "done")
	})
	c := client(t)
	ask := func(path string) (int, string) {
		res, body := do(t, c, f.request(t, "GET", "shop.localhost", path, nil))
		return res.StatusCode, body
	}
	slow := make(chan string)
	go func() { _, body := ask("/slow"); slow <- body }()
	<-began
	ask("/")
	f.Rules("shop", rules.Set{Maintenance: &rules.Maintenance{Retry: time.Minute}})
	if status, _ := ask("/"); status != 503 {
		t.Errorf("after maintenance began: %d", status)
	}
	close(goOn)
	if body := <-slow; body != "done" {
		t.Errorf("what ran: %q", body)
	}
	f.Rules("shop", rules.Set{})
	if status, _ := ask("/"); status != 200 {
		t.Errorf("after it: %d", status)
	}
}

// TestRulesAndStreams: with rules of every kind, an event stream comes byte by byte, an upload is not kept back, and a
// WebSocket talks in both directions, and counts as one request until it ends.
func TestRulesAndStreams(t *testing.T) {
	f := newFront(t, Config{})
	heard := make(chan string, 1)
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws":
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			rw.Flush()        //nolint:errcheck // the client looks at what it reads
			io.Copy(conn, rw) //nolint:errcheck // it ends with the client
		case "/upload":
			first := make([]byte, 5)
			io.ReadFull(r.Body, first) //nolint:errcheck // what was read is looked at
			heard <- string(first)
			io.Copy(io.Discard, r.Body) //nolint:errcheck // the client looks at the answer
		default:
			rc := http.NewResponseController(w)
			for range 3 {
				io.WriteString(w, "tick\n")
				rc.Flush() //nolint:errcheck // the client looks at what it reads
				<-heard
			}
		}
	})
	set := allRules(t)
	set.Limits.Connections = 1
	f.Rules("shop", set)
	request := func(method, path string, body io.Reader) *http.Request {
		r := f.request(t, method, "shop.localhost", path, body)
		r.SetBasicAuth("ada", password)
		return r
	}
	res, err := client(t).Do(request("GET", "/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(res.Body)
	for range 3 {
		if line, err := lines.ReadString('\n'); line != "tick\n" {
			t.Fatal(line, err)
		}
		heard <- "go on"
	}
	res.Body.Close()
	waitIdle(t, f)

	out, in := io.Pipe()
	done := make(chan int)
	go func() { res, _ := do(t, client(t), request("POST", "/upload", out)); done <- res.StatusCode }()
	io.WriteString(in, "first") //nolint:errcheck // the app says what it has read
	if got := <-heard; got != "first" {
		t.Errorf("the app read %q", got)
	}
	in.Close()
	if status := <-done; status != 200 {
		t.Errorf("the upload: %d", status)
	}
	waitIdle(t, f)

	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nAuthorization: Basic %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		base64.StdEncoding.EncodeToString([]byte("ada:"+password)))
	rw := bufio.NewReader(conn)
	if res, err := http.ReadResponse(rw, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	for _, said := range []string{"hello\n", "again\n"} {
		io.WriteString(conn, said) //nolint:errcheck // what comes back is looked at
		if line, err := rw.ReadString('\n'); line != said {
			t.Fatal(line, err)
		}
	}
	if res, _ := do(t, client(t), request("GET", "/", nil)); res.StatusCode != 503 {
		t.Errorf("beside a WebSocket, where one is allowed: %s", res.Status)
	}
}

// waitIdle waits until no request of shop runs: the client has its answer a moment before the front door has ended.
func waitIdle(t *testing.T, f *front) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); f.Counts("shop").Active > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a request goes on")
		}
	}
}

// TestNoAnswerWaitsForABody: a client that is refused and sends its body slowly gets its answer at once. net/http reads
// up to 256 KiB of a body before it answers, for as long as the client likes.
func TestNoAnswerWaitsForABody(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) { t.Error("the app was asked") })
	f.Rules("shop", rules.Set{Users: ada(t)})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 100000\r\n\r\nx")
	conn.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // a read that fails is looked at
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != 401 || !res.Close {
		t.Errorf("%v, %v", res, err)
	}
}

// TestSpoofedAddress: an allow-list cannot be passed by claiming an address, unless a trusted proxy says it.
func TestSpoofedAddress(t *testing.T) {
	inside := rules.Set{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	ask := func(f *front, headers ...string) int {
		r := f.request(t, "GET", "shop.localhost", "/", nil)
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		res, _ := do(t, client(t), r)
		return res.StatusCode
	}
	f := newFront(t, Config{})
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) {})
	f.Rules("shop", inside)
	for _, h := range []string{"X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Real-Ip: 10.0.0.1", "X-Client-Ip: 10.0.0.1", "True-Client-Ip: 10.0.0.1"} {
		if status := ask(f, h); status != 403 {
			t.Errorf("%s: %d", h, status)
		}
	}
	f = newFront(t, Config{Trusted: origin.Proxies{netip.MustParsePrefix("127.0.0.1/32")}})
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) {})
	f.Rules("shop", inside)
	if status := ask(f, "X-Forwarded-For: 10.0.0.1"); status != 200 {
		t.Errorf("from a trusted proxy: %d", status)
	}
	// The client has sent the first address, the proxy the second.
	for _, h := range []string{"X-Forwarded-For: 10.0.0.1, 192.0.2.1", "Forwarded: for=10.0.0.1, for=192.0.2.1", "X-Forwarded-For: 10.0.0.1, nobody"} {
		if status := ask(f, h); status != 403 {
			t.Errorf("%s: %d", h, status)
		}
	}
}

package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

// here are the proxies of these tests.
var here = origin.Proxies{netip.MustParsePrefix("127.0.0.1/32")}

// through sends what a load balancer would, on a connection of its own.
func (f *front) through(t *testing.T, first string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second)) //nolint:errcheck // a read that fails is looked at
	if _, err := io.WriteString(conn, first); err != nil {
		t.Fatal(err)
	}
	return conn
}

const passedRequest = "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n"

func answered(t *testing.T, conn net.Conn) (status int, body string) {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestProxyProtocol: the app, the allow-list and the limit of connections see the client that a load balancer names,
// and nobody else can name one.
func TestProxyProtocol(t *testing.T) {
	f := newFront(t, Config{Passing: here, Limits: Limits{Conns: 100, ConnsFrom: 8}})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Forwarded-For")) })
	f.Rules("shop", rules.Set{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	head := func(client string) string { return "PROXY TCP4 " + client + " 10.0.0.1 4711 80\r\n" }
	if status, body := answered(t, f.through(t, head("192.0.2.7")+passedRequest)); status != 200 || body != "192.0.2.7" {
		t.Errorf("%d, %q", status, body)
	}
	if status, _ := answered(t, f.through(t, head("198.51.100.1")+passedRequest)); status != 403 {
		t.Errorf("a client that may not: %d", status)
	}
	// More connections than one address may have, of as many clients; and one client's.
	for i := range 20 {
		if status, _ := answered(t, f.through(t, head(fmt.Sprintf("192.0.2.%d", 100+i))+passedRequest)); status != 200 {
			t.Fatalf("client %d: %d", i, status)
		}
	}
	for range 10 {
		f.through(t, head("192.0.2.9")+"GET / HTTP/1.1\r\n")
	}
	waitFor(t, func() bool { return f.crowd.of("192.0.2.9") == 8 })
}

// of is how many connections of an address are counted.
func (c *crowd) of(addr string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if src := c.sources[netip.MustParseAddr(addr)]; src != nil {
		return src.conns
	}
	return 0
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

// TestProxyProtocolOfAStranger: a header from an address that is not trusted is no way past an allow-list.
func TestProxyProtocolOfAStranger(t *testing.T) {
	f := newFront(t, Config{Passing: origin.Proxies{netip.MustParsePrefix("10.0.0.0/8")}})
	f.app(t, "shop", func(http.ResponseWriter, *http.Request) { t.Error("the app was asked") })
	f.Rules("shop", rules.Set{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	if status, _ := answered(t, f.through(t, "PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n"+passedRequest)); status != 400 {
		t.Errorf("a header that is none: %d", status)
	}
	if status, _ := answered(t, f.through(t, passedRequest)); status != 403 {
		t.Errorf("without: %d", status)
	}
}

// TestClientsOfAProxy: behind a trusted proxy, the requests of each client are counted, and the connections of the
// proxy are not. One client that sends slowly does not take the places of the others.
func TestClientsOfAProxy(t *testing.T) {
	f := newFront(t, Config{Trusted: here, Limits: Limits{Conns: 100, ConnsFrom: 8}})
	f.app(t, "shop", func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the client may be gone
	})
	for range 12 {
		f.through(t, "POST / HTTP/1.1\r\nHost: shop.localhost\r\nX-Forwarded-For: 192.0.2.7\r\nContent-Length: 100\r\n\r\nx")
	}
	waitFor(t, func() bool { return f.crowd.of("192.0.2.7") == 8 })
	ask := func(client string) int {
		status, _ := answered(t, f.through(t, "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Forwarded-For: "+client+"\r\n\r\n"))
		return status
	}
	if status := ask("192.0.2.7"); status != 503 {
		t.Errorf("the client that has too many: %d", status)
	}
	for i := range 20 {
		if status := ask(fmt.Sprintf("192.0.2.%d", 100+i)); status != 200 {
			t.Fatalf("client %d: %d", i, status)
		}
	}
	waitFor(t, func() bool { return f.crowd.of("192.0.2.119") == 0 })
}

// TestClaimedProxies: X-Forwarded-For of somebody who is not trusted spends nobody's places.
func TestClaimedProxies(t *testing.T) {
	f := newFront(t, Config{Limits: Limits{Conns: 100, ConnsFrom: 50}})
	f.app(t, "shop", func(_ http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Forwarded-For"); !strings.HasPrefix(got, "127.") {
			t.Errorf("the app reads %q", got)
		}
	})
	answered(t, f.through(t, passedRequest))
	if n := f.crowd.of("10.0.0.1"); n != 0 {
		t.Errorf("%d connections are counted for an address that was claimed", n)
	}
}

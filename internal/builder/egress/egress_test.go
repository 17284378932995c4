package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestCheckPublic(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "127.255.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"192.0.0.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1",
		"::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1",
	} {
		if checkPublic(netip.MustParseAddr(s)) == nil {
			t.Errorf("%s is allowed", s)
		}
	}
	for _, s := range []string{"1.1.1.1", "104.16.0.1", "2606:4700::1111", "::ffff:1.1.1.1"} {
		if err := checkPublic(netip.MustParseAddr(s)); err != nil {
			t.Error(err)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		if checkPublic(netip.MustParsePrefix(a.String()).Addr()) == nil {
			t.Errorf("this machine's own %s is allowed", a)
		}
	}
}

// through returns a client that asks a Proxy with this registry.
func through(t *testing.T, registry string) (*http.Client, *url.URL) {
	t.Helper()
	u, err := url.Parse(registry)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(New(u))
	t.Cleanup(srv.Close)
	via, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(via)}}, via
}

func hello(t *testing.T, tls bool) *httptest.Server {
	t.Helper()
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	if tls {
		s := httptest.NewTLSServer(h)
		t.Cleanup(s.Close)
		return s
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	res, err := c.Get(u)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	return res.StatusCode, string(b)
}

func TestRegistryOnly(t *testing.T) {
	registry, other := hello(t, false), hello(t, false)
	c, _ := through(t, registry.URL)
	if code, body := get(t, c, registry.URL+"/express"); code != 200 || body != "hello" {
		t.Errorf("the registry: %d %s", code, body)
	}
	_, port, _ := net.SplitHostPort(other.Listener.Addr().String())
	for _, u := range []string{
		other.URL, "http://127.0.0.1/", "http://localhost:" + port, "http://localhost/", "http://[::1]/",
		"http://169.254.169.254/latest/meta-data/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/",
	} {
		if code, body := get(t, c, u); code != http.StatusForbidden || !strings.Contains(body, "builds may not reach") {
			t.Errorf("%s: %d %s", u, code, body)
		}
	}
}

func TestTunnel(t *testing.T) {
	registry, other := hello(t, true), hello(t, true)
	c, via := through(t, registry.URL)
	trusting := registry.Client().Transport.(*http.Transport).Clone()
	trusting.Proxy = http.ProxyURL(via)
	c.Transport = trusting
	if code, body := get(t, c, registry.URL); code != 200 || body != "hello" {
		t.Errorf("the registry: %d %s", code, body)
	}
	for _, target := range []string{other.Listener.Addr().String(), "127.0.0.1:443", "localhost:443", "example.com:22", "", "x"} {
		if code := connect(t, via.Host, target); code != http.StatusForbidden && code != http.StatusBadRequest {
			t.Errorf("CONNECT %q: %d", target, code)
		}
	}
}

func connect(t *testing.T, proxy, target string) int {
	t.Helper()
	conn, err := net.Dial("tcp", proxy)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// TestUpstream: where the host itself needs a proxy, builds go through it.
func TestUpstream(t *testing.T) {
	asked := make(chan string, 4)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization")
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer upstream.Close()
	addr := upstream.Listener.Addr().String()
	t.Setenv("HTTP_PROXY", "http://u:p@"+addr)
	t.Setenv("HTTPS_PROXY", "http://u:p@"+addr)
	t.Setenv("NO_PROXY", "")
	c, via := through(t, "https://registry.example/")
	if code, _ := get(t, c, "http://registry.example:80/x"); code != 200 {
		t.Errorf("plain: %d", code)
	}
	if got := <-asked; got != "GET registry.example:80 Basic dTpw" {
		t.Errorf("upstream was asked %q", got)
	}
	if code := connect(t, via.Host, "registry.example:443"); code != http.StatusBadGateway {
		t.Errorf("tunnel: %d", code)
	}
	if got := <-asked; got != "CONNECT registry.example:443 Basic dTpw" {
		t.Errorf("upstream was asked %q", got)
	}
	if code, _ := get(t, c, "http://127.0.0.1/"); code != http.StatusForbidden {
		t.Errorf("loopback by way of upstream: %d", code)
	}
}

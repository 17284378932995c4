package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// echoLine is an app that answers with the first line of each request, as it came over the wire.
func echoLine(t *testing.T, f *front, app string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f.Switch(app, []string{l.Addr().String()})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerLine(conn)
		}
	}()
}

func answerLine(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	for more := line; err == nil && more != "\r\n"; {
		more, err = in.ReadString('\n')
	}
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(line), line)
}

// TestTarget: /a%2Fb|c reached the app as /a%2Fb%7Cc, because a bar made net/url write the whole path anew, and an app
// that checks a signature of its own path refused it. A target reaches the app byte for byte.
func TestTarget(t *testing.T) {
	f := newFront(t, Config{})
	echoLine(t, f, "shop")
	same := []string{
		"/", "/?", "/??", "/a%2Fb|c", "/a%2fb%2F", `/"<>\^{}` + "`", "/\xfc\xff\x80", "/ü/日本", "/a#b", "/?q=#x", "/a;b=1;c",
		"/a/../b/./c//d", "//evil.example.com/x", "//", "///x?y", "/%00", "/:@[]!$&'()*+,;=", "/?a=%zz&b=|&&=", "/a?b?c", "/*", "/http://x/y",
		"/" + strings.Repeat("a|", 8<<10),
	}
	for _, target := range same {
		checkTarget(t, f, "GET", target, target)
	}
	checkTarget(t, f, "OPTIONS", "*", "*")
	for target, want := range map[string]string{
		"http://shop.localhost":                       "/",
		"http://shop.localhost?":                      "/?",
		"http://shop.localhost?a|b":                   "/?a|b",
		"http://shop.localhost/a%2Fb|c?d#e":           "/a%2Fb|c?d#e",
		"HTTP://u:p@shop.localhost:80/x":              "/x",
		"http://shop.localhost//x":                    "//x",
		"mailto:x%zz":                                 "/",
		"http:/x|y":                                   "/x|y",
		"//a|b":                                       "//a%7Cb", // the exception: see machineURL
		"http://shop.localhost/http://other.example/": "/http://other.example/",
	} {
		checkTarget(t, f, "GET", target, want)
	}
}

func checkTarget(t *testing.T, f *front, method, target, want string) {
	t.Helper()
	status, line := rawRequest(t, f.addr, method+" "+target+" HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n")
	if want = method + " " + want + " HTTP/1.1\r\n"; status != 200 || line != want {
		t.Errorf("%s: %d, the app gets %.200q, want %.200q", target, status, line, want)
	}
}

// TestNoTarget: what is no target by RFC 3986 is answered at the front door, and no byte of it reaches an app.
func TestNoTarget(t *testing.T) {
	f := newFront(t, Config{})
	echoLine(t, f, "shop")
	for _, target := range []string{"/%zz", "/%", "/a%2", "/\x01", "/a\tb", "/\x7f", "a", "", "/a b", "/\rX: y"} {
		status, body := rawRequest(t, f.addr, "GET "+target+" HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n")
		if status != http.StatusBadRequest {
			t.Errorf("%q: status %d, %q", target, status, body)
		}
	}
}

// FuzzTarget: whatever target a client sends, an app gets one request line, for its own host, with the same bytes.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/a%2Fb|c", "*", "//x", "http://h/p?q", "http:/x", "mailto:x", "/?", "/\xff#", "http://[::1]:80?x", "a:/\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		in, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")))
		if err != nil {
			t.Skip("net/http refuses it")
		}
		out := &http.Request{Method: in.Method, Host: "a", URL: machineURL(in), Header: http.Header{}}
		var wire bytes.Buffer
		if err := out.Write(&wire); err != nil {
			t.Skip("net/http does not send it")
		}
		got, err := http.ReadRequest(bufio.NewReader(&wire))
		if err != nil {
			t.Fatalf("%q: %v", target, err)
		}
		if strings.HasPrefix(in.RequestURI, "/") && !strings.HasPrefix(in.RequestURI, "//") && got.RequestURI != in.RequestURI {
			t.Errorf("%q became %q", in.RequestURI, got.RequestURI)
		}
		if got.Host != "a" || got.URL.IsAbs() || got.URL.User != nil {
			t.Errorf("%q became %q, for host %q", in.RequestURI, got.RequestURI, got.Host)
		}
		if rest, err := io.ReadAll(&wire); err != nil || len(rest) > 0 {
			t.Errorf("%q: more than a request: %q, %v", target, rest, err)
		}
	})
}

package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// piped is a pool whose machine is the other end of a pipe.
func piped(machine func(net.Conn)) *Pool {
	return NewPool(func(context.Context) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			machine(far)
		}()
		return half{near}, nil
	}, time.Minute, time.Minute)
}

// half is the end of a pipe that takes deadlines when the other end is closed too, as a connection of TCP does.
type half struct{ net.Conn }

func (h half) SetDeadline(t time.Time) error {
	h.Conn.SetDeadline(t) //nolint:errcheck // see above
	return nil
}

// FuzzAnswer: whatever a machine answers, it is taken as net/http takes it, or refused; and a body that is cut off
// never looks whole.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nhello", "HTTP/1.1 101 S\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n5\r\nhello\r\n0\r\nT: t\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := piped(func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				t.Error(err)
			}
			c.Write(text) //nolint:errcheck // who asked may have refused it already
		})
		status, body, err := theirs(text)
		g := <-ask(t, p, get(nil))
		if (g.err == nil) != (err == nil) {
			t.Fatalf("%q: %v, and net/http: %v", text, g.err, err)
		}
		if g.err == nil && (g.a.StatusCode != status || g.body != body) {
			t.Errorf("%q: %d %q, and net/http: %d %q", text, g.a.StatusCode, g.body, status, body)
		}
	})
}

// theirs is what net/http makes of an answer.
func theirs(text []byte) (status int, body string, err error) {
	in := bufio.NewReader(bytes.NewReader(text))
	for status < 200 {
		res, err := http.ReadResponse(in, &http.Request{Method: http.MethodGet})
		if err != nil {
			return 0, "", err
		}
		if status = res.StatusCode; status == http.StatusSwitchingProtocols {
			return 0, "", errSwitched
		}
		if status >= 200 {
			b, err := io.ReadAll(res.Body)
			return status, string(b), err
		}
	}
	return 0, "", errors.New("unreachable")
}

// FuzzRequest: what fits is one request for a machine, with the headers that it had and no other.
func FuzzRequest(f *testing.F) {
	f.Add("/", "Cookie", "a=b")
	f.Add("/a?b=%0d%0a", "X-A", "b\r\nX-Forwarded-For: 127.0.0.1")
	f.Add("/ HTTP/1.1\r\nX: y", "Connection", "cookie, close")
	f.Add("*", "Transfer-Encoding", "chunked")
	f.Add("/", "Content-Length", "7")
	f.Fuzz(func(t *testing.T, target, name, value string) {
		name = http.CanonicalHeaderKey(name)
		h := http.Header{name: {value}}
		if _, err := url.ParseRequestURI(target); err != nil || !Fits(target, h) {
			t.Skip()
		}
		var sent bytes.Buffer
		c := newConn(discard{w: &sent})
		c.write(Request{Method: "GET", Target: target, Host: "shop", Header: h, Drop: func(string) bool { return false }, Own: [][2]string{{"X-Own", "own"}}})
		if err := c.out.Flush(); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(bytes.NewReader(sent.Bytes()))
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatalf("%q: %v", sent.String(), err)
		}
		if in.Buffered() > 0 || r.ContentLength != 0 || len(r.TransferEncoding) > 0 || r.RequestURI != target || r.Host != "shop" {
			t.Fatalf("%q is %+v", sent.String(), r)
		}
		delete(r.Header, "X-Own")
		for got, values := range r.Header {
			if got != name || len(values) != 1 || values[0] != strings.Trim(value, " \t") {
				t.Errorf("%q: %s: %q", sent.String(), got, values)
			}
		}
	})
}

// discard is a connection that is written to alone.
type discard struct {
	net.Conn
	w io.Writer
}

func (d discard) Write(p []byte) (int, error) { return d.w.Write(p) }

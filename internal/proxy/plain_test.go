package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLargeBodies: a long body, which the kernel carries on by itself, comes whole and is counted, also when the app
// pauses for longer than a client may.
func TestLargeBodies(t *testing.T) {
	const stall = 300 * time.Millisecond
	bodies := make(chan int64, 10)
	f := newFront(t, Config{stall: stall, After: []func(Request){func(r Request) { bodies <- r.Out }}})
	body := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		at := len(body)
		if r.URL.Path == "/pause" {
			at = 300_001
		}
		w.Write(body[:at])
		if at < len(body) {
			http.NewResponseController(w).Flush() //nolint:errcheck // the client would see it
			<-time.After(2 * stall)
			w.Write(body[at:])
		}
	})
	c := client(t)
	for _, path := range []string{"/", "/pause", "/"} {
		res, have := do(t, c, f.request(t, "GET", "shop.localhost", path, nil))
		if res.StatusCode != 200 || have != string(body) {
			t.Fatalf("%s: %d, %d bytes", path, res.StatusCode, len(have))
		}
		if n := <-bodies; n != int64(len(body)) {
			t.Errorf("%s: %d bytes were counted", path, n)
		}
	}
}

// TestCutBody: an app that ends in the middle of a long body ends the client's connection there.
func TestCutBody(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Write(make([]byte, 500_000))
		http.NewResponseController(w).Flush() //nolint:errcheck // the client would see it
		panic(http.ErrAbortHandler)
	})
	res, err := client(t).Do(f.request(t, "GET", "shop.localhost", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); err == nil || n > 500_000 {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestStalledLargeBody: a client that reads nothing of a long body of known length is cut, and its app hears of it.
func TestStalledLargeBody(t *testing.T) {
	f := newFront(t, Config{stall: 300 * time.Millisecond})
	ended := make(chan error, 1)
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<30))
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				ended <- err
				return
			}
		}
	})
	conn := f.dialFrom(t, 1)
	send(t, conn, "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the app has seen no end")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the connection is kept")
	}
}

// TestHintsAndTrailers: what comes before and after an answer gets through, and the answer keeps its id.
func TestHintsAndTrailers(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "hello")
		w.Header().Set("X-Sum", "5")
		w.Header().Set(http.TrailerPrefix+"X-More", "6")
	})
	hints := ""
	r := f.request(t, "GET", "shop.localhost", "/", nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			hints = strconv.Itoa(status) + h.Get("Link")
			return nil
		},
	}))
	res, body := do(t, client(t), r)
	if hints != "103</a.css>" || res.Header.Get("Link") != "" || res.Header.Get("X-Request-Id") == "" {
		t.Errorf("hints %q, then %v", hints, res.Header)
	}
	if body != "hello" || res.Trailer.Get("X-Sum") != "5" || res.Trailer.Get("X-More") != "6" {
		t.Errorf("%q, %v", body, res.Trailer)
	}
}

// TestPlainHead: an answer to HEAD has the headers of one to GET, and the connection goes on.
func TestPlainHead(t *testing.T) {
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.txt", time.Time{}, strings.NewReader("hello"))
	})
	conn := f.dialFrom(t, 1)
	in := bufio.NewReader(conn)
	for range 2 {
		send(t, conn, "HEAD / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
		res, err := http.ReadResponse(in, &http.Request{Method: http.MethodHead})
		if err != nil || res.StatusCode != 200 || res.ContentLength != 5 {
			t.Fatalf("%+v, %v", res, err)
		}
	}
}

package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// machine answers on raw connections. Each that it accepts is sent to conns.
type machine struct {
	net.Listener
	conns chan net.Conn
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{l, make(chan net.Conn, 10)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.conns <- c
		}
	}()
	return m
}

func (m *machine) pool(limit, keep time.Duration) *Pool {
	return NewPool(func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", m.Addr().String())
	}, limit, keep)
}

// next is the next connection that was made.
func (m *machine) next(t *testing.T) *peer {
	t.Helper()
	select {
	case c := <-m.conns:
		t.Cleanup(func() { c.Close() })
		return &peer{c, bufio.NewReader(c)}
	case <-time.After(10 * time.Second):
		t.Fatal("no connection was made")
		return nil
	}
}

// peer is the machine's end of a connection.
type peer struct {
	net.Conn
	in *bufio.Reader
}

// request reads one as it came.
func (p *peer) request(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			t.Error(err)
			return ""
		}
		all.WriteString(line)
		if line == "\r\n" {
			return all.String()
		}
	}
}

func (p *peer) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		t.Error(err)
	}
}

func get(h http.Header) Request {
	return Request{Method: "GET", Target: "/", Host: "shop", Header: h, Drop: func(string) bool { return false }, Told: func(int, http.Header) {}}
}

// got is what became of a request.
type got struct {
	a    *Answer
	body string
	err  error
}

// ask sends r and reads the answer to its end.
func ask(t *testing.T, p *Pool, r Request) <-chan got {
	done := make(chan got, 1)
	go func() {
		a, err := p.Send(t.Context(), r)
		if err != nil {
			done <- got{err: err}
			return
		}
		var body bytes.Buffer
		err = a.Copy(Client{Writer: &body, Flush: func() error { return nil }}, make([]byte, 32<<10))
		a.Close()
		done <- got{a, body.String(), err}
	}()
	return done
}

func TestRequest(t *testing.T) {
	m := newMachine(t)
	r := get(http.Header{
		"Accept": {"a", "b"}, "Connection": {"close, X-Mine"}, "X-Mine": {"1"}, "Te": {"trailers, deflate"}, "Keep-Alive": {"1"},
		"Content-Length": {"0"}, "Host": {"other"}, "Transfer-Encoding": {"chunked"}, "X-Drop": {"1"}, "Upgrade": {"h2c"},
	})
	r.Target, r.Drop, r.Own = "/a%2fb?c|d", func(name string) bool { return name == "X-Drop" }, [][2]string{{"X-Own", "o"}}
	done := ask(t, m.pool(time.Minute, time.Minute), r)
	p := m.next(t)
	const want = "GET /a%2fb?c|d HTTP/1.1\r\nHost: shop\r\nAccept: a\r\nAccept: b\r\nTe: trailers\r\nX-Own: o\r\n\r\n"
	if have := p.request(t); have != want {
		t.Errorf("\nhave %q\nwant %q", have, want)
	}
	p.say(t, "HTTP/1.1 204 No Content\r\n\r\n")
	if g := <-done; g.err != nil || g.a.StatusCode != 204 {
		t.Errorf("%+v", g)
	}
}

func TestFits(t *testing.T) {
	good := http.Header{"Accept": {"*/*"}}
	for _, target := range []string{"", "/a b", "/a\r\nX: y", "/\x00", "/\x7f"} {
		if Fits(target, good) {
			t.Errorf("the target %q fits", target)
		}
	}
	for _, h := range []http.Header{{"A b": {"1"}}, {"A": {"1\r\nB: 2"}}, {"A:": {"1"}}, {"": {"1"}}, {"Upgrade": {"websocket"}}, {"Expect": {"100-continue"}}} {
		if Fits("/", h) {
			t.Errorf("%q fits", h)
		}
	}
	if !Fits("/|\"é", good) {
		t.Error("what is odd and harmless does not fit")
	}
}

// TestInvalid: a name that is passed on ends no line.
func TestInvalid(t *testing.T) {
	host, own := get(nil), get(nil)
	host.Host = "shop\r\nX-Forwarded-For: 127.0.0.1"
	own.Own = [][2]string{{"X-Forwarded-User", "ada\r\n\r\nGET / HTTP/1.1"}}
	for _, r := range []Request{host, own} {
		p := NewPool(func(context.Context) (net.Conn, error) { return nil, errors.New("it was dialled") }, time.Minute, time.Minute)
		if _, err := p.Send(t.Context(), r); !errors.Is(err, errInvalid) {
			t.Error(err)
		}
	}
}

// TestAnswers reads answers of each form, and then one more request: on the same connection, unless something could
// still come on it.
func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	tests := []struct {
		name, method, answer, body string
		ends, again                bool // the machine closes its connection; the connection is used again
		err                        error
	}{
		{name: "of known length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello", again: true},
		{name: "long", answer: "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + long, body: long, again: true},
		{name: "empty", answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", again: true},
		{name: "not modified", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", again: true},
		{name: "to HEAD", method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", again: true},
		{name: "in chunks", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", body: "hello", again: true},
		{name: "until the end", answer: "HTTP/1.1 200 OK\r\n\r\nhello", body: "hello", ends: true},
		{name: "of HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", body: "hello"},
		{name: "that closes", answer: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", body: "hello"},
		{name: "cut", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", body: "hell", ends: true, err: io.ErrUnexpectedEOF},
		{name: "cut in a chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell", body: "hell", ends: true, err: io.ErrUnexpectedEOF},
		{name: "cut before the last chunk", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", body: "hello", ends: true, err: io.ErrUnexpectedEOF},
		{name: "with more than its length", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n", body: "hello"},
		{name: "with a length in two forms", answer: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n0\r\n\r\n", body: "he", again: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			pool, r := m.pool(time.Minute, time.Minute), get(nil)
			if tt.method != "" {
				r.Method = tt.method
			}
			done := ask(t, pool, r)
			p := m.next(t)
			p.request(t)
			p.say(t, tt.answer)
			if tt.ends {
				p.Close()
			}
			if g := <-done; !errors.Is(g.err, tt.err) || g.body != tt.body {
				t.Fatalf("%q, %v", g.body, g.err)
			}
			done = ask(t, pool, get(nil))
			if !tt.again {
				p = m.next(t)
			}
			p.request(t)
			p.say(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
			if g := <-done; g.err != nil || g.body != "next" {
				t.Errorf("the next answer: %q, %v", g.body, g.err)
			}
		})
	}
}

// TestRefusedAnswers: what is no answer is an error, and its connection is not used again.
func TestRefusedAnswers(t *testing.T) {
	for _, answer := range []string{
		"nonsense\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHeader),
		strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", maxHeader/30),
	} {
		m := newMachine(t)
		done := ask(t, m.pool(time.Minute, time.Minute), get(nil))
		p := m.next(t)
		p.request(t)
		go io.WriteString(p, answer) //nolint:errcheck // the other side closes
		if g := <-done; g.err == nil {
			t.Errorf("%.60q was taken for an answer: %+v", answer, g.a.Response)
		}
	}
}

// TestStale: a connection that the machine has closed while it was idle loses no request, and what came on one unasked
// is no answer.
func TestStale(t *testing.T) {
	for _, last := range []struct {
		name string
		do   func(*testing.T, *peer)
	}{
		{"closed while it was idle", func(_ *testing.T, p *peer) { p.Close() }},
		{"something came unasked", func(t *testing.T, p *peer) { p.say(t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nforged") }},
	} {
		t.Run(last.name, func(t *testing.T) {
			m := newMachine(t)
			pool := m.pool(time.Minute, time.Minute)
			done := ask(t, pool, get(nil))
			p := m.next(t)
			p.request(t)
			p.say(t, "HTTP/1.1 204 No Content\r\n\r\n")
			<-done
			last.do(t, p)
			awaitData(t, pool)
			done = ask(t, pool, get(nil))
			p = m.next(t)
			p.request(t)
			p.say(t, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine")
			if g := <-done; g.err != nil || g.body != "mine" {
				t.Errorf("%q, %v", g.body, g.err)
			}
		})
	}
}

// awaitData waits until the idle connection of a pool is not quiet any more.
func awaitData(t *testing.T, p *Pool) {
	t.Helper()
	quiet := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.idle) == 0 || p.idle[0].quiet()
	}
	for limit := time.Now().Add(10 * time.Second); quiet(); {
		if time.Now().After(limit) {
			t.Fatal("the connection stays quiet")
		}
	}
}

// TestClosedUnderway: the machine closes an idle connection at the moment when a request is sent on it.
func TestClosedUnderway(t *testing.T) {
	m := newMachine(t)
	pool := m.pool(time.Minute, time.Minute)
	done := ask(t, pool, get(nil))
	p := m.next(t)
	p.request(t)
	p.say(t, "HTTP/1.1 204 No Content\r\n\r\n")
	<-done
	done = ask(t, pool, get(nil))
	p.request(t)
	p.Close()
	p = m.next(t)
	p.request(t)
	p.say(t, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain")
	if g := <-done; g.err != nil || g.body != "again" {
		t.Errorf("%q, %v", g.body, g.err)
	}
	// A new connection that ends without an answer is the machine's own failure: nothing is sent a third time.
	pool.Keep(0)
	done = ask(t, pool, get(nil))
	p = m.next(t)
	p.request(t)
	p.Close()
	if g := <-done; !errors.Is(g.err, io.ErrUnexpectedEOF) {
		t.Errorf("%v", g.err)
	}
}

// TestLimits: a machine that does not answer in time, and a client that leaves.
func TestLimits(t *testing.T) {
	m := newMachine(t)
	done := ask(t, m.pool(50*time.Millisecond, time.Minute), get(nil))
	var timeout net.Error
	if g := <-done; !errors.As(g.err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", g.err)
	}
	m.next(t)

	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := m.pool(time.Minute, time.Minute).Send(ctx, get(nil))
		left <- err
	}()
	p := m.next(t)
	p.request(t)
	cancel()
	if err := <-left; err == nil {
		t.Error("an answer came from nowhere")
	}
	if _, err := p.in.ReadByte(); err == nil {
		t.Error("the machine does not see that the client has left")
	}
}

// TestKeep: an idle connection is closed when its time is over, and those that are idle when the pool closes.
func TestKeep(t *testing.T) {
	m := newMachine(t)
	for _, tt := range []struct {
		keep time.Duration
		end  func(*Pool)
	}{
		{20 * time.Millisecond, func(*Pool) {}},
		{time.Minute, func(p *Pool) { p.Keep(0) }},
		{time.Minute, func(p *Pool) { p.Close() }},
	} {
		pool := m.pool(time.Minute, tt.keep)
		done := ask(t, pool, get(nil))
		p := m.next(t)
		p.request(t)
		p.say(t, "HTTP/1.1 204 No Content\r\n\r\n")
		<-done
		tt.end(pool)
		if _, err := p.in.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
}

// flushed is a client that says what it has when it is flushed.
type flushed struct {
	bytes.Buffer
	said chan string
}

func (f *flushed) Flush() error {
	f.said <- f.String()
	return nil
}

// TestFlush: what was read goes on to the client when nothing more comes for a while, in each form.
func TestFlush(t *testing.T) {
	tests := []struct{ name, head, first, rest string }{
		{"known", "Content-Length: 10\r\n\r\n", "hello", "world"},
		{"chunks", "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"},
		{"a chunk and half of its end", "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r", "\n5\r\nworld\r\n0\r\n\r\n"},
		{"a chunk and half of the next", "Transfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n1", "f\r\n" + "world" + strings.Repeat("x", 26) + "\r\n0\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			f := &flushed{said: make(chan string, 10)}
			done := make(chan error, 1)
			go func() {
				a, err := m.pool(time.Minute, time.Minute).Send(t.Context(), get(nil))
				if err == nil {
					err = a.Copy(Client{Writer: f, Flush: f.Flush}, make([]byte, 32<<10))
					a.Close()
				}
				done <- err
			}()
			p := m.next(t)
			p.request(t)
			p.say(t, "HTTP/1.1 200 OK\r\n"+tt.head)
			if said := <-f.said; said != "" {
				t.Errorf("the headers were flushed with %q", said)
			}
			p.say(t, tt.first)
			if said := <-f.said; said != "hello" {
				t.Errorf("%q was flushed", said)
			}
			p.say(t, tt.rest)
			if err := <-done; err != nil || !strings.HasPrefix(f.String(), "helloworld") {
				t.Errorf("%q, %v", f.String(), err)
			}
		})
	}
}

// TestOnePacket: an answer that has come as a whole is not flushed by pieces.
func TestOnePacket(t *testing.T) {
	for _, answer := range []string{"Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"} {
		m := newMachine(t)
		go func() {
			p := m.next(t)
			p.request(t)
			p.say(t, "HTTP/1.1 200 OK\r\n"+answer)
		}()
		a, err := m.pool(time.Minute, time.Minute).Send(t.Context(), get(nil))
		if err != nil {
			t.Fatal(err)
		}
		err = a.Copy(Client{Writer: io.Discard, Flush: func() error {
			t.Errorf("%q was flushed by pieces", answer)
			return nil
		}}, make([]byte, 32<<10))
		if a.Close(); err != nil {
			t.Error(err)
		}
	}
}

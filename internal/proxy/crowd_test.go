package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// dialFrom connects from 127.0.0.n.
func (f *front) dialFrom(t testing.TB, n byte) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, n)}, Timeout: 5 * time.Second}
	conn, err := d.DialContext(t.Context(), "tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a request on conn and returns the status of the answer; 0: the connection was closed.
func ask(t testing.TB, conn net.Conn, path string) int {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return 0
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: shop.localhost\r\n\r\n", path)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}

func send(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// TestIdleConnections: 20,000 idle connections from one address used up gitd's descriptors and ended it. Now idle ones
// make room, those of the address that has too many first, and a request that runs is left alone.
func TestIdleConnections(t *testing.T) {
	f := newFront(t, Config{Limits: Limits{Conns: 12, ConnsFrom: 8}})
	begun, end := make(chan struct{}), make(chan struct{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			close(begun)
			<-end
		}
	})
	long := f.dialFrom(t, 1)
	answer := make(chan int, 1)
	go func() { answer <- ask(t, long, "/long") }()
	<-begun
	first := f.dialFrom(t, 1)
	if s := ask(t, first, "/"); s != http.StatusOK {
		t.Fatalf("the first: %d", s)
	}
	for range 100 { // far more than there are places
		if s := ask(t, f.dialFrom(t, 1), "/"); s != http.StatusOK {
			t.Fatalf("one of many: %d", s)
		}
	}
	if s := ask(t, first, "/"); s != 0 {
		t.Errorf("the idle connection that has waited longest is still open: %d", s)
	}
	for n := range byte(20) {
		if s := ask(t, f.dialFrom(t, 10+n), "/"); s != http.StatusOK {
			t.Errorf("address %d: %d", n, s)
		}
	}
	close(end)
	if s := <-answer; s != http.StatusOK {
		t.Errorf("the request that ran all the while: %d", s)
	}
}

// TestBusyConnections: where all connections are at work, a new one is told so.
func TestBusyConnections(t *testing.T) {
	f := newFront(t, Config{Limits: Limits{Conns: 6, ConnsFrom: 4}})
	begun, end := make(chan struct{}), make(chan struct{})
	f.app(t, "shop", func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			begun <- struct{}{}
			<-end
		}
	})
	answers := make(chan int)
	for range 4 {
		go func(conn net.Conn) { answers <- ask(t, conn, "/long") }(f.dialFrom(t, 1))
		<-begun
	}
	if s := ask(t, f.dialFrom(t, 1), "/"); s != http.StatusServiceUnavailable && s != 0 {
		t.Errorf("the fifth of one address: %d", s)
	}
	if s := ask(t, f.dialFrom(t, 2), "/"); s != http.StatusOK {
		t.Errorf("another address: %d", s)
	}
	close(end)
	for range 4 {
		if s := <-answers; s != http.StatusOK {
			t.Errorf("a long one: %d", s)
		}
	}
	if s := ask(t, f.dialFrom(t, 1), "/"); s != http.StatusOK {
		t.Errorf("after that: %d", s)
	}
	f.crowd.mu.Lock()
	defer f.crowd.mu.Unlock()
	if f.crowd.conns > 6 || len(f.crowd.sources) > 2 {
		t.Errorf("%d connections of %d addresses are counted", f.crowd.conns, len(f.crowd.sources))
	}
}

func TestLimitsOf(t *testing.T) {
	for n, want := range map[int]Limits{1024: {384, 96}, 20000: {7500, 1875}, 1 << 20: {32768, 8192}, 10: {16, 8}} {
		if got := limitsOf(Limits{}, n); got != want {
			t.Errorf("with %d descriptors: %+v, want %+v", n, got, want)
		}
	}
	if got := limitsOf(Limits{Conns: 100, ConnsFrom: 50}, 1024); got != (Limits{100, 50}) {
		t.Errorf("set by hand: %+v", got)
	}
}

// TestStalledClients: a client that reads nothing of its answer, or sends nothing more of its body, kept its
// connection, and the one to the machine, for ever.
func TestStalledClients(t *testing.T) {
	const stall = 300 * time.Millisecond
	f := newFront(t, Config{stall: stall})
	ended := make(chan error, 1)
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, err := io.Copy(io.Discard, r.Body)
			ended <- err
			return
		}
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				ended <- err
				return
			}
		}
	})
	for name, request := range map[string]string{
		"reads nothing": "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
		"sends nothing": "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 10\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			conn := f.dialFrom(t, 1)
			send(t, conn, request)
			select {
			case err := <-ended:
				if err == nil {
					t.Error("the app has seen no end")
				}
				if line, err := bufio.NewReader(conn).ReadString('\n'); name == "sends nothing" && !strings.Contains(line, "408") {
					t.Errorf("the client is told %q, %v", line, err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the connection is kept")
			}
		})
	}
	t.Run("slow, and gets on", func(t *testing.T) {
		conn := f.dialFrom(t, 1)
		send(t, conn, "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 8\r\n\r\n")
		tick := time.NewTicker(stall / 3)
		defer tick.Stop()
		for range 8 { // longer than stall in all
			<-tick.C
			send(t, conn, "x")
		}
		if err := <-ended; err != nil {
			t.Errorf("the app got %v", err)
		}
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(answer, "200") {
			t.Errorf("%q, %v", answer, err)
		}
	})
}

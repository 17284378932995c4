package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/websocket"
)

// TestDrainWaits: the drain returns when the last request has ended, and not before.
func TestDrainWaits(t *testing.T) {
	f := newFront(t, Config{})
	arrived, finish := make(chan struct{}), make(chan struct{})
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		io.WriteString(w, "old")
	})
	answered := make(chan string, 1)
	go func() {
		_, body := do(t, client(t), f.request(t, "GET", "shop.localhost", "/", nil))
		answered <- body
	}()
	<-arrived
	_, drain := f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "new") })
	drained := make(chan struct{})
	go func() {
		drain(t.Context())
		close(drained)
	}()
	if _, body := do(t, client(t), f.request(t, "GET", "shop.localhost", "/", nil)); body != "new" {
		t.Errorf("after the switch: %q", body)
	}
	select {
	case <-drained:
		t.Error("drained while a request ran")
	default:
	}
	close(finish)
	if body := <-answered; body != "old" {
		t.Errorf("the running request got %q", body)
	}
	<-drained
}

// TestDrainCuts: when its time is over, the drain ends what still runs: an upload, and an upgraded connection.
func TestDrainCuts(t *testing.T) {
	f := newFront(t, Config{})
	old := newRelease(1)
	t.Cleanup(old.server.Close)
	f.Switch("shop", []string{old.addr()})
	ws, err := dialWebSocket(f)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := echo(ws, "before"); err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	defer w.Close() // until then the upload goes on
	ended := make(chan int, 1)
	go func() { ended <- uploadStatus(t, f, r) }()
	<-old.uploads

	next := newRelease(2)
	t.Cleanup(next.server.Close)
	drain := f.Switch("shop", []string{next.addr()})
	if err := echo(ws, "between"); err != nil {
		t.Errorf("the switch alone broke a connection: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	drain(ctx)
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error("drained although two connections were in use")
	}
	if err := echo(ws, "after"); err == nil {
		t.Error("the upgraded connection was not cut")
	}
	if status := <-ended; status != http.StatusServiceUnavailable {
		t.Errorf("the upload ended with status %d", status)
	}
}

// TestDrainCutsStuckClient: a client that does not read its response cannot
// hold up a drain.
func TestDrainCutsStuckClient(t *testing.T) {
	f := newFront(t, Config{})
	stuck := make(chan struct{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		var err error
		for err == nil { // until all buffers on the way are full
			http.NewResponseController(w).SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) //nolint:errcheck // the write tells
			_, err = w.Write(make([]byte, 1<<20))
		}
		close(stuck)
		<-r.Context().Done()
	})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-stuck
	old := f.table.apps["shop"].backends[0]
	drain := f.Switch("shop", []string{"127.0.0.1:1"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	drain(ctx)
	select {
	case <-old.idle:
	default:
		t.Error("a request is left after the drain")
	}
}

// TestShutdownEndsUpgrades: the end of the daemon cuts a WebSocket, which might never end by itself.
func TestShutdownEndsUpgrades(t *testing.T) {
	p := New(Config{Domain: "localhost", Log: zerolog.Nop()})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRelease(1)
	defer r.server.Close()
	p.Switch("shop", []string{r.addr()})
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx, l) }()
	ws, err := dialWebSocket(&front{p, l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if err := echo(ws, "before"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	var text string
	if err := websocket.Message.Receive(ws, &text); err == nil {
		t.Errorf("received %q after the end", text)
	}
}

// uploadStatus uploads body and returns the status of the answer, or 0 if there was none.
func uploadStatus(t *testing.T, f *front, body io.Reader) int {
	res, err := client(t).Do(f.request(t, "POST", "shop.localhost", "/upload", body))
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// TestIdleConnectionsClose: the front door closes its connections to a backend when it is drained, down or removed.
func TestIdleConnectionsClose(t *testing.T) {
	ends := map[string]func(f *front){
		"switch": func(f *front) { f.Switch("shop", []string{"127.0.0.1:1"})(t.Context()) },
		"down":   func(f *front) { f.Down("shop", "stopped") },
		"remove": func(f *front) { f.Remove("shop") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, Config{})
			closed := make(chan struct{})
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					close(closed)
				}
			}
			s.Start()
			defer s.Close()
			f.Switch("shop", []string{s.Listener.Addr().String()})
			do(t, client(t), f.request(t, "GET", "shop.localhost", "/", nil))
			end(f)
			<-closed
		})
	}
}

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

	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

// told is a Config whose requests are sent to the channel.
func told() (Config, chan Request) {
	all := make(chan Request, 64)
	return Config{After: []func(Request){func(r Request) { all <- r }}}, all
}

func next(t *testing.T, all chan Request) Request {
	t.Helper()
	select {
	case r := <-all:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told of a request")
		return Request{}
	}
}

// TestAfter: what became of each request is told, with the id that the app and the client have seen.
func TestAfter(t *testing.T) {
	cfg, all := told()
	f := newFront(t, cfg)
	s, _ := f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // what was read is counted
		w.Header().Set(origin.IDHeader, "the app's own")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, r.Header.Get(origin.IDHeader))
	})
	r := f.request(t, "POST", "shop.localhost", "/cart?card=1234", strings.NewReader("seven b"))
	r.Header.Set(origin.IDHeader, "chosen")
	r.Header.Set("User-Agent", "browser")
	res, body := do(t, client(t), r)
	got := next(t, all)
	if ids := res.Header.Values(origin.IDHeader); len(ids) != 1 || ids[0] != body || got.ID != body || len(body) != 32 {
		t.Errorf("the client got id %q, the app %q, and %q was told", ids, body, got.ID)
	}
	if got.Took <= 0 || time.Since(got.Begun) > time.Minute {
		t.Errorf("begun %v, took %v", got.Begun, got.Took)
	}
	got.ID, got.Took, got.Begun = "", 0, time.Time{}
	want := Request{
		App: "shop", Client: netip.MustParseAddr("127.0.0.1"), Method: "POST", Scheme: "http", Proto: "HTTP/1.1",
		Host: "shop.localhost", Path: "/cart", Query: "card=1234", Agent: "browser", Status: 201, In: 7, Out: 32,
		Machine: s.Listener.Addr().String(),
	}
	if got != want {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	f.Down("shop", "it has gone")
	do(t, client(t), f.request(t, "GET", "shop.localhost", "/", nil))
	if got := next(t, all); got.App != "shop" || got.Status != 503 || got.Machine != "" {
		t.Errorf("of an app that is down: %+v", got)
	}
	do(t, client(t), f.request(t, "GET", "nobody.localhost", "/", nil))
	if got := next(t, all); got.App != "" || got.Status != 404 {
		t.Errorf("of no app: %+v", got)
	}
}

// TestAfterAnUpgrade: an upgraded connection is told of when it has ended, with its bytes.
func TestAfterAnUpgrade(t *testing.T) {
	cfg, all := told()
	f := newFront(t, cfg)
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		rw.Flush() //nolint:errcheck // the client looks at what it reads
		four := make([]byte, 4)
		io.ReadFull(rw, four) //nolint:errcheck // what comes back is looked at
		fmt.Fprintf(rw, "%s again", four)
		rw.Flush() //nolint:errcheck // the bytes are counted
	})
	conn, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	fmt.Fprint(conn, "four")
	if got := next(t, all); got.Status != 101 || got.In != 4 || got.Out != 10 {
		t.Errorf("%+v", got)
	}
}

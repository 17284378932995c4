package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// machines starts n backends that answer with their number, and sends shop's requests to them.
func (f *front) machines(t *testing.T, n int, h func(i int, w http.ResponseWriter, r *http.Request)) (all []*httptest.Server, addrs []string) {
	t.Helper()
	for i := range n {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h != nil {
				h(i, w, r)
			}
			fmt.Fprint(w, i)
		}))
		t.Cleanup(s.Close)
		all, addrs = append(all, s), append(addrs, s.Listener.Addr().String())
	}
	f.Switch("shop", addrs)
	return all, addrs
}

// ask sends n requests one after the other, and returns how often each answer came.
func (f *front) ask(t *testing.T, n int, method string) map[string]int {
	t.Helper()
	c, got := client(t), map[string]int{}
	for range n {
		res, body := do(t, c, f.request(t, method, "shop.localhost", "/", strings.NewReader("x")))
		got[fmt.Sprintf("%d %s", res.StatusCode, body)]++
	}
	return got
}

// TestRoundRobin: requests that come one after the other go round.
func TestRoundRobin(t *testing.T) {
	f := newFront(t, Config{})
	f.machines(t, 3, nil)
	got := f.ask(t, 9, "GET")
	for _, answer := range []string{"200 0", "200 1", "200 2"} {
		if got[answer] != 3 {
			t.Errorf("%v", got)
		}
	}
}

// TestLeastRequests: a machine that is busy gets no request while another one has fewer.
func TestLeastRequests(t *testing.T) {
	f := newFront(t, Config{})
	busy, free := make(chan struct{}), make(chan struct{})
	f.machines(t, 2, func(_ int, _ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(busy)
			<-free
		}
	})
	slow := make(chan string)
	go func() {
		res, err := client(t).Do(f.request(t, "GET", "shop.localhost", "/slow", nil))
		if err != nil {
			slow <- err.Error()
			return
		}
		res.Body.Close()
		slow <- res.Status
	}()
	<-busy
	if got := f.ask(t, 6, "GET"); len(got) != 1 {
		t.Errorf("beside a request that runs: %v", got)
	}
	close(free)
	if status := <-slow; status != "200 OK" {
		t.Error(status)
	}
	for i, b := range f.table.apps["shop"].backends {
		for limit := time.Now().Add(10 * time.Second); b.load() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%d requests are counted on backend %d, and none runs", b.load(), i)
			}
		}
	}
}

// TestDeadBackend: requests for a machine that accepts no connections any more go to another one, POSTs too, before
// anybody has taken it out. If all are dead, that is said, once each was tried.
func TestDeadBackend(t *testing.T) {
	f := newFront(t, Config{})
	all, _ := f.machines(t, 3, nil)
	all[0].Close()
	all[2].Close()
	if got := f.ask(t, 12, "POST"); got["200 1"] != 12 {
		t.Errorf("%v", got)
	}
	all[1].Close()
	if got := f.ask(t, 2, "POST"); len(got) != 1 || !strings.HasPrefix(fmt.Sprint(got), "map[502 ") {
		t.Errorf("all are dead: %v", got)
	}
}

// TestStays: a backend that stays when the others change is the same, with its connections.
func TestStays(t *testing.T) {
	f := newFront(t, Config{})
	_, addrs := f.machines(t, 2, nil)
	before := f.table.apps["shop"].backends[1]
	f.Switch("shop", addrs[1:])(t.Context())
	f.Switch("shop", addrs)(t.Context())
	if now := f.table.apps["shop"].backends; now[1] != before || before.life.Err() != nil || len(now) != 2 {
		t.Errorf("%v is not %v, or has ended", now, before)
	}
}

// TestScaleLosesNothing: machines come and go under load, and each ends as soon as its drain returns. No request fails.
func TestScaleLosesNothing(t *testing.T) {
	f := newFront(t, Config{})
	servers := map[string]*httptest.Server{}
	start := func() string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Millisecond)
			fmt.Fprint(w, "ok")
		}))
		servers[s.Listener.Addr().String()] = s
		return s.Listener.Addr().String()
	}
	now := []string{start()}
	f.Switch("shop", now)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	var sent, failed atomic.Int32
	for range 4 {
		c := client(t)
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := c.Do(f.request(t, "POST", "shop.localhost", "/", strings.NewReader("x")))
				if err != nil || res.StatusCode != 200 {
					failed.Add(1)
				}
				if err == nil {
					res.Body.Close()
				}
				sent.Add(1)
			}
		})
	}
	// All are replaced by more, by fewer, and some of them stay.
	for _, step := range []struct{ keep, start int }{{0, 3}, {3, 2}, {1, 0}, {0, 2}, {2, 4}, {2, 0}, {0, 1}} {
		seen := sent.Load()
		old := now
		now = slices.Clone(old[:step.keep])
		for range step.start {
			now = append(now, start())
		}
		f.Switch("shop", now)(t.Context())
		for _, addr := range old[step.keep:] {
			servers[addr].Close()
		}
		for sent.Load() < seen+50 && failed.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	clients.Wait()
	for _, addr := range now {
		servers[addr].Close()
	}
	if failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", failed.Load(), sent.Load())
	}
}

package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// napping counts its requests in its memory: an app that began anew would begin at 1 again.
const napping = `let n = 0; // the health check is no request of ours
require('node:http').createServer((req, res) => res.end(req.url === '/n' ? String(++n) : '')).listen(process.env.PORT);
`

// TestLoadReady is TestLoad with all that can be ready before it is wanted: a push takes the machine that waits, every
// second change is a rollback to the machine that was kept, and meanwhile another app falls asleep and wakes, again and
// again. No request of either app may fail.
func TestLoadReady(t *testing.T) {
	r := loadRig(t, "--spares", "1", "--keep-warm", "10m", "--sleep-after", "1m")
	r.repo("naps", filepath.Join("..", "..", "templates", "apps", "hello"))
	r.edit("naps", "count", map[string]string{"server.js": napping})
	pushed(t, r, "naps")
	before, _ := pushed(t, r, "load")
	l := startLoad(r, "load")
	end, woke := make(chan struct{}), make(chan int, 1)
	go nap(t, r, end, woke)
	for i := range *swaps {
		start := time.Now()
		if i%2 == 1 {
			l.live.Store(int64(before)) // the machine that was kept answers as what it was, from any moment on
			r.gitd("rollback", "load")
			l.swapped(start, time.Now(), before)
			continue
		}
		r.edit("load", fmt.Sprint("change ", i), map[string]string{"change.txt": fmt.Sprint(i)})
		version, took := pushed(t, r, "load")
		l.swapped(start, time.Now(), version)
		time.Sleep(min(took, 5*time.Second)) // the same load runs without a push, and the next machine boots
	}
	close(end)
	naps := <-woke
	results := l.stop()
	t.Logf("%d swaps, %d times asleep and awake\n%s", *swaps, naps, table(results))
	for _, res := range results {
		if res.err != nil {
			t.Errorf("%s, begun %s after the load and %s long: %v", res.kind, res.begun.Sub(l.begun), res.took, res.err)
		}
	}
	r.halt()
}

// nap has the app naps fall asleep, and asks it, until end. It sends how often.
func nap(t *testing.T, r *rig, end <-chan struct{}, woke chan<- int) {
	n := 0
	defer func() { woke <- n }()
	for {
		select {
		case <-end:
			return
		default:
		}
		if _, err := r.try("sleep", "naps"); err != nil {
			t.Error(err)
			return
		}
		n++
		status, body, err := r.get(r.client(false), "naps", "/n")
		if err != nil || status != http.StatusOK || body != fmt.Sprint(n) {
			t.Errorf("request %d: %d %q, %v", n, status, body, err)
			return
		}
	}
}

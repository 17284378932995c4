package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// panicking is a server that makes the kernel of its machine panic when it is asked to. It needs the init of
// TestLostMachines.
const panicking = `require('node:http').createServer((req, res) => {
  if (req.url === '/panic') require('node:fs').writeFileSync('/tmp/panic', '')
  else res.end('release ' + process.env.NODEOS_RELEASE + ', up\n')
}).listen(process.env.PORT)
`

// TestLostMachines: the kernel of the live machine panics, and later its QEMU stands still. Both times another machine
// of the same release takes its place, without a command, and people can read what happened.
func TestLostMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	t.Parallel()
	program := overlaid(t, "nodeos-init", "lost-init", map[string]string{"panics.go": filepath.Join("testdata", "lost", "panics.go")})
	r := newRig(t, pausingGitd(t), "", "--guest-init", program)
	r.observed(t)
	r.serve()
	r.admit()
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	r.edit("shop", "a way to panic", map[string]string{"server.js": panicking})
	pushed(t, r, "shop")
	for _, tt := range []struct {
		name, reason string
		end          func(t *testing.T)
	}{
		{"kernel panics", "the guest's kernel panicked: Attempted to kill init!", func(*testing.T) {
			// The front door answers, or nobody does: the test does not wait for it.
			go r.get(r.client(false), "shop", "/panic") //nolint:errcheck // see above
		}},
		{"machine hangs", "the guest has said nothing for 1m0s", func(t *testing.T) {
			if err := syscall.Kill(r.qemus()[0].pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mark, began := r.observer.mark(), time.Now()
			tt.end(t)
			if err := r.observer.await(core.AtLost, tt.reason, mark, r.ended); err != nil {
				t.Fatalf("%v\n%s", err, r.tail(30))
			}
			seen := time.Since(began)
			if err := r.observer.await(core.AtStarted, "", mark, r.ended); err != nil {
				t.Fatalf("%v\n%s", err, r.tail(30))
			}
			status, body, err := r.get(r.client(false), "shop", "/")
			if err != nil || status != http.StatusOK || !strings.Contains(body, "release v1,") {
				t.Errorf("after it: %d %q, %v", status, body, err)
			}
			t.Logf("known after %s, serves again after %s", seen.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			if events := r.gitd("events", "shop"); !strings.Contains(events, tt.reason) {
				t.Errorf("the events do not tell of it:\n%s", events)
			}
			if n := len(r.qemus()); n != 1 {
				t.Errorf("%d machines run", n)
			}
		})
	}
	r.halt()
}

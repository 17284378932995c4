package coretest

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/sleep"
)

// traffic is the requests that apps have now, and have had.
type traffic struct {
	mu        sync.Mutex
	now, ever map[string]int64
}

func (f *traffic) of(app string) (now, ever int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now[app], f.ever[app]
}

func (f *traffic) has(app string, now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[app] = now
	f.ever[app]++
}

// sleepy opens a core in which apps sleep, on a host with so much memory for machines.
func (w *world) sleepy(mib int, free func() (int, bool)) *traffic {
	w.t.Helper()
	return w.sleepyAfter(time.Millisecond, mib, free)
}

// sleepyAfter is sleepy, with the time for which an app must be idle until it gives way.
func (w *world) sleepyAfter(rest time.Duration, mib int, free func() (int, bool)) *traffic {
	w.t.Helper()
	w.close()
	f := &traffic{now: map[string]int64{}, ever: map[string]int64{}}
	w.openWith(func(c *engine.Config) {
		beds := sleep.New(sleep.Config{
			State: w.state, Ledger: w.ledger, Driver: w.driver, Saver: w.driver, Log: slog.New(slog.DiscardHandler),
		})
		c.Driver = beds
		c.Sleep = engine.Sleep{Beds: beds, After: time.Hour, Rest: rest, Traffic: f.of, Free: free}
		c.Quotas.Host = core.Resources{MemoryMiB: mib}
	})
	return f
}

// pushed pushes an app of its own name, and gives its machine something to keep.
func (w *world) pushed(app string) {
	w.t.Helper()
	p := w.begin(app, core.Command{Ref: "refs/heads/main", Old: none, New: commit(1)})
	if reject, out := p.end(); reject != "" {
		w.t.Fatalf("%s: rejected %q\n%s", app, reject, out)
	}
	for _, m := range w.driver.all() {
		if m.App == app {
			m.memory = " of " + app
		}
	}
}

// knock is a request for an app that sleeps.
func (w *world) knock(app string) {
	w.t.Helper()
	var knock func()
	w.eventually("requests for "+app+" wait", func() bool {
		w.router.mu.Lock()
		defer w.router.mu.Unlock()
		knock = w.router.knocks[app]
		delete(w.router.knocks, app)
		return knock != nil
	})
	knock()
}

func (w *world) is(app string, want fleet.Condition) {
	w.t.Helper()
	w.eventually(app+" is "+string(want), func() bool {
		s, err := w.core.Status(w.t.Context(), app)
		return err == nil && s.State == want
	})
}

// rested has all apps count as idle: they have been looked at, and time has passed.
func (w *world) rested() {
	w.core.Sleep.Idle(w.t.Context())
	time.Sleep(3 * time.Millisecond) // it is the time itself that is waited for
}

// TestRoomBySleep: where there is no place for a machine, the app falls asleep that was asked for longest ago, and no
// other. What has requests does not, nor what never sleeps.
func TestRoomBySleep(t *testing.T) {
	w := newWorld(t)
	f := w.sleepy(3*128, nil)
	for _, app := range []string{"never", "first", "second"} {
		w.pushed(app)
	}
	if err := w.core.Sleep.SetAfter(t.Context(), ada, "never", new(time.Duration)); err != nil {
		t.Fatal(err)
	}
	w.rested()
	f.has("first", 0) // so second was asked for longest ago
	w.rested()
	w.pushed("third")
	w.is("second", fleet.Asleep)
	for _, app := range []string{"never", "first", "third"} {
		w.is(app, fleet.Running)
	}

	// One that wakes takes the place of another one, and goes on where it was.
	f.has("third", 1)
	w.rested()
	w.knock("second")
	w.is("second", fleet.Running)
	w.is("first", fleet.Asleep)
	if got := w.router.get(t, "second"); got != "v1 of second" {
		t.Errorf("it goes on with %q", got)
	}
	if n := w.driver.count(); n != 3 {
		t.Errorf("%d machines run", n)
	}
}

// TestNoRoomAtWake: an app that sleeps cannot wake, because nobody else can sleep. What it slept as is kept, who asks
// is told why, and a later request wakes it. It was thrown away, and the app booted, or did not.
func TestNoRoomAtWake(t *testing.T) {
	w := newWorld(t)
	f := w.sleepy(128, nil)
	w.pushed("first")
	w.rested()
	w.pushed("second")
	w.is("first", fleet.Asleep)
	f.has("second", 1)

	w.knock("first")
	w.eventually("it says why", func() bool {
		_, down := w.router.target("first")
		return strings.Contains(down, "it sleeps on: the server has no room: first needs 128 MiB")
	})
	w.is("first", fleet.Asleep)
	if err := w.core.Sleep.Wake(t.Context(), ada, "first", io.Discard); err == nil || !strings.Contains(err.Error(), "the server has no room") {
		t.Errorf("wake: %v", err)
	}

	// gitd ends and comes again, and it sleeps still.
	if files, err := os.ReadDir(core.Sleeping(w.state)); err != nil || len(files) != 3 { // and the print of second
		t.Errorf("%v, %v", files, err)
	}
	f = w.sleepy(128, nil)
	w.is("first", fleet.Asleep)
	w.is("second", fleet.Running)
	w.rested()
	f.has("second", 0)
	w.rested()
	w.knock("first")
	w.is("first", fleet.Running)
	w.is("second", fleet.Asleep)
	if got := w.router.get(t, "first"); got != "v1 of first" {
		t.Errorf("it goes on with %q", got)
	}
}

// TestRoomSoon: in ten minutes of requests at random, to more apps than there was room for, one of 1,154 was refused:
// at that moment no other app counted as idle. Who comes then waits until one does.
func TestRoomSoon(t *testing.T) {
	w := newWorld(t)
	f := w.sleepyAfter(500*time.Millisecond, 128, nil)
	w.pushed("first")
	w.pushed("second") // which waits until the first is idle
	w.is("first", fleet.Asleep)
	f.has("second", 0)
	w.knock("first")
	w.is("first", fleet.Running)
	w.is("second", fleet.Asleep)
	if got := w.router.get(t, "first"); got != "v1 of first" {
		t.Errorf("it goes on with %q", got)
	}
}

// TestSavedAndNotStopped: libvirt goes away when a machine was saved. Its app was forgotten: it neither slept nor ran.
// It sleeps, and the machine is stopped later.
func TestSavedAndNotStopped(t *testing.T) {
	w := newWorld(t)
	w.sleepy(128, nil)
	w.pushed("shop")
	w.driver.mu.Lock()
	w.driver.stopErr = errors.New("libvirt is away")
	w.driver.mu.Unlock()
	if err := w.core.Sleep.Sleep(t.Context(), ada, "shop", io.Discard); err != nil {
		t.Fatal(err)
	}
	w.is("shop", fleet.Asleep)
	w.eventually("its machine is stopped", func() bool { return w.driver.count() == 0 })
	w.knock("shop")
	w.is("shop", fleet.Running)
	if got := w.router.get(t, "shop"); got != "v1 of shop" {
		t.Errorf("it goes on with %q", got)
	}
}

// TestNoMemory: the host has less memory than was promised. An app falls asleep, or the push says what to do.
func TestNoMemory(t *testing.T) {
	w := newWorld(t)
	has := 3 // as much memory as so many machines have
	f := w.sleepy(0, func() (int, bool) { return 128 * (has - w.driver.count()), true })
	w.pushed("first")
	w.pushed("second") // the first may not have taken its memory yet
	f.has("first", 1)
	f.has("second", 1)
	has = 2
	p := w.begin("third", core.Command{Ref: "refs/heads/main", Old: none, New: commit(1)})
	if reject, out := p.end(); reject != "the server has no memory: third needs 128 MiB, and 0 bytes are free" || !strings.Contains(out, "`sleep:set APP 15m`") {
		t.Errorf("%q\n%s", reject, out)
	}
	has = 3 // and the first may not have taken its own yet
	f.has("second", 0)
	w.rested()
	w.pushed("third")
	w.is("second", fleet.Asleep)
}

package coretest

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// needs makes machines whose app does not start with less than so many MiB.
func needs(mib int) func(m *fakeMachine) {
	return func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted})
		if m.spec.MemoryMiB < mib {
			starves(m)
			return
		}
		healthy(m)
	}
}

// memories are the amounts of memory with which machines were booted, in order.
func (w *world) memories() (all []int) {
	w.driver.mu.Lock()
	defer w.driver.mu.Unlock()
	for _, s := range w.driver.specs {
		all = append(all, s.MemoryMiB)
	}
	w.driver.specs = nil
	return all
}

func (w *world) found() int {
	w.t.Helper()
	a, err := w.ledger.App(w.t.Context(), "shop")
	w.must(err)
	return a.FoundMiB
}

// TestMoreMemory: an app that runs out of memory at its start is tried again with twice as much. What it started with
// is kept for the boots that follow: a push, and a machine that takes the place of a lost one.
func TestMoreMemory(t *testing.T) {
	w := newWorld(t)
	w.driver.behave(needs(400))
	reject, out := w.push(none, commit(1))
	if reject != "" || !strings.Contains(out, "trying again with 256 MiB") || !strings.Contains(out, "`resource shop --memory 512M` fixes it") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	if got, found := w.memories(), w.found(); !equal(got, 128, 256, 512) || found != 512 {
		t.Errorf("booted with %v, found %d", got, found)
	}
	if n := w.driver.count(); n != 1 {
		t.Errorf("%d machines run, want 1", n)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" || !strings.Contains(out, "512 MiB (it ran out of less before)") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	w.eventually("the one before it is stopped", func() bool { return w.driver.count() == 1 })
	lost := w.driver.all()[0].ID
	w.driver.Stop(t.Context(), lost, 0) //nolint:errcheck // it is the fake
	w.eventually("another machine serves", func() bool {
		s := w.status()
		return s.State == fleet.Running && s.Machine != lost
	})
	if got := w.memories(); !equal(got, 512, 512) {
		t.Errorf("later booted with %v", got)
	}
	// Whoever sets the memory wants no other, and takes that back for a new search.
	ada := core.Actor{Name: "ada"}
	w.driver.behave(needs(0))
	w.must(w.core.SetResources(t.Context(), ada, "shop", core.Resources{CPUs: 2}, io.Discard))
	w.must(w.core.SetResources(t.Context(), ada, "shop", core.Resources{CPUs: 2, MemoryMiB: 300}, io.Discard))
	w.must(w.core.SetResources(t.Context(), ada, "shop", core.Resources{CPUs: 2}, io.Discard))
	if got, found := w.memories(), w.found(); !equal(got, 512, 300, 128) || found != 0 {
		t.Errorf("then booted with %v, found %d", got, found)
	}
}

func equal(got []int, want ...int) bool {
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

// TestNoMoreMemory: a person's word, the host and gitd's own limit end the search, and the reason says how to get more.
func TestNoMoreMemory(t *testing.T) {
	for name, tt := range map[string]struct {
		host   core.Resources
		asks   core.Manifest
		set    core.Resources
		env    string
		booted []int
		reason string
		hint   string
	}{
		"no limit of the host's": {booted: []int{128, 256, 512, 1024, 2048}, reason: "the app ran out of memory with 2 GiB, and gets no more by itself: ended by SIGKILL",
			hint: "`resource shop --memory 4096M` gives it more"},
		"a small host": {host: core.Resources{MemoryMiB: 800}, booted: []int{128, 256, 400}, reason: "with 400 MiB"},
		"set by hand": {set: core.Resources{MemoryMiB: 200}, booted: []int{200}, reason: "with 200 MiB, as it was set",
			hint: "`resource shop --memory 400M` gives it more; `resource shop --memory default` lets gitd find"},
		"package.json": {asks: core.Manifest{Resources: core.Resources{MemoryMiB: 96}}, booted: []int{96}, reason: "with 96 MiB, as package.json asks",
			hint: `"nodeos": {"memory": "192M"} in package.json`},
		"a guess": {asks: core.Manifest{Guess: core.Guess{MemoryMiB: 1500, Package: "next"}}, booted: []int{1500, 2048}, reason: "with 2 GiB"},
		"a heap of its own size": {env: "--max-old-space-size=64", booted: []int{128}, reason: "it sets the size of its heap itself",
			hint: "leave --max-old-space-size out"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.close()
			w.openWith(func(c *engine.Config) { c.Capacity = tt.host })
			w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
				m, err := w.goodBuild(ctx, src, r)
				m.Resources, m.Guess = tt.asks.Resources, tt.asks.Guess
				m.Env["NODE_OPTIONS"] = tt.env
				return m, err
			}
			w.must(w.core.CreateApp(t.Context(), core.Actor{Name: "ada"}, "shop"))
			w.must(w.ledger.SetResources(t.Context(), "shop", tt.set))
			w.driver.behave(func(m *fakeMachine) {
				if tt.env != "" {
					m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "FATAL ERROR: JavaScript heap out of memory"})
					m.watch(core.Event{Kind: core.EventExited, Detail: "ended by SIGABRT"})
					return
				}
				needs(1 << 20)(m)
			})
			reject, out := w.push(none, commit(1))
			if !strings.Contains(reject, tt.reason) || !strings.Contains(out, tt.hint) {
				t.Errorf("rejected %q:\n%s", reject, out)
			}
			if got := w.memories(); !equal(got, tt.booted...) {
				t.Errorf("booted with %v, want %v", got, tt.booted)
			}
			if n := w.driver.count(); n != 0 || w.found() != 0 {
				t.Errorf("%d machines run, found %d", n, w.found())
			}
		})
	}
}

// TestOtherLacksOfMemory: V8's heap is full, or Node gets no more memory, while the kernel has killed nothing; and a
// start that takes minutes because the machine reads its own files again and again is not waited for.
func TestOtherLacksOfMemory(t *testing.T) {
	for name, starve := range map[string]func(m *fakeMachine){
		"heap": func(m *fakeMachine) {
			m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"})
			m.watch(core.Event{Kind: core.EventExited, Detail: "ended by SIGABRT"})
		},
		"buffer": func(m *fakeMachine) {
			m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "RangeError: Array buffer allocation failed"})
			m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
		},
		"after listening": func(m *fakeMachine) {
			m.status = 503
			m.watch(core.Event{Kind: core.EventListening})
			starves(m)
		},
		"a heap larger than the machine": func(m *fakeMachine) {
			m.spec.Env["NODE_OPTIONS"] = "--max-old-space-size=4096"
			starves(m)
		},
		"the kernel": func(m *fakeMachine) {
			m.watch(core.Event{Kind: core.EventGone, Detail: "Kernel panic - not syncing: System is deadlocked on memory"})
		},
		"silent": func(m *fakeMachine) {
			m.watch(core.Event{Kind: core.EventHung, Detail: "the guest has said nothing for 1m0s"})
		},
		"thrashing": func(m *fakeMachine) {
			for n := range 4 {
				m.watch(core.Event{Kind: core.EventStats, Stats: &core.Stats{
					MemoryTotal: 100 << 20, Uptime: time.Duration(10*n+10) * time.Second, Refaults: int64(n) * 200 << 20,
				}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.driver.behave(func(m *fakeMachine) {
				m.watch(core.Event{Kind: core.EventBooted})
				if m.spec.MemoryMiB < 256 {
					starve(m)
					return
				}
				healthy(m)
			})
			reject, out := w.push(none, commit(1))
			if reject != "" || !strings.Contains(out, "shop needs 256 MiB of memory") {
				t.Errorf("rejected %q:\n%s", reject, out)
			}
			if name == "thrashing" && !strings.Contains(out, "  | the app does not get on: there is too little memory") {
				t.Errorf("nothing says why its machine was ended:\n%s", out)
			}
		})
	}
}

// TestLateForWantOfMemory: an app whose time is over when its machine has next to no memory left is not told to listen.
func TestLateForWantOfMemory(t *testing.T) {
	w := newWorld(t)
	w.build = w.checked(core.Health{Timeout: time.Second})
	w.driver.behave(func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted})
		if m.spec.MemoryMiB > 128 {
			healthy(m)
			return
		}
		m.watch(core.Event{Kind: core.EventStats, Stats: &core.Stats{MemoryTotal: 112 << 20, MemoryUsed: 111 << 20, Uptime: time.Second}})
	})
	reject, out := w.push(none, commit(1))
	if reject != "" || !strings.Contains(out, "the app ran out of memory with 128 MiB: trying again with 256 MiB") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
}

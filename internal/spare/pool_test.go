package spare

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// driver is one on which machines come up at once.
type driver struct {
	fleet.Driver

	mu      sync.Mutex
	spares  map[string]core.Watch
	specs   []core.MachineSpec // of spare machines
	calls   []string
	refuse  error // of Hand
	broken  bool  // spare machines end before they are up
	fails   error // of the next Spare
	never   bool  // they do not come up
	crowded bool
	slow    chan struct{} // not nil: a machine is up when one is received
}

func (d *driver) did(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, what)
}

func (d *driver) Boot(_ context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	d.did("boot " + spec.ID)
	slow := d.slow
	go func() {
		if slow != nil {
			<-slow
		}
		w(core.Event{Kind: core.EventBooted, Detail: "Linux"})
		w(core.Event{Kind: core.EventListening})
	}()
	return core.Machine{ID: spec.ID, App: spec.App}, nil
}

func (d *driver) Spare(_ context.Context, spec core.MachineSpec, w core.Watch) error {
	d.did("spare")
	d.mu.Lock()
	err := d.fails
	d.fails = nil
	if err == nil {
		d.spares[spec.ID], d.specs = w, append(d.specs, spec)
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	kind := core.EventBooted
	if d.broken {
		kind = core.EventGone
	}
	if !d.never {
		go w(core.Event{Kind: kind})
	}
	return nil
}

func (d *driver) Hand(_ context.Context, id string, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	d.did("hand " + spec.ID)
	if d.refuse != nil {
		return core.Machine{}, d.refuse
	}
	w(core.Event{Kind: core.EventBooted, Detail: "spare"})
	go w(core.Event{Kind: core.EventListening})
	return core.Machine{ID: id, App: spec.App}, nil
}

func (d *driver) Stop(_ context.Context, id string, _ time.Duration) error {
	d.did("stop")
	d.mu.Lock()
	w := d.spares[id]
	delete(d.spares, id)
	d.mu.Unlock()
	if w != nil {
		go w(core.Event{Kind: core.EventGone})
	}
	return nil
}

func (d *driver) List(context.Context) (all []core.Machine, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.spares {
		all = append(all, core.Machine{ID: id})
	}
	return append(all, core.Machine{ID: "shop-v1-aa", App: "shop"}), nil
}

// took returns what was called since the last call.
func (d *driver) took() string {
	time.Sleep(2 * quiet)
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	text := strings.Join(d.calls, ", ")
	d.calls = nil
	return text
}

// world is a pool on a driver.
type world struct {
	*Pool
	driver *driver
	said   []string // of boots
}

func newWorld(t *testing.T, count int) *world {
	t.Helper()
	w := &world{driver: &driver{spares: map[string]core.Watch{}}}
	w.Pool = New(w.driver, Config{Count: count, Log: slog.New(slog.DiscardHandler), Room: func(core.Resources) bool { return !w.driver.crowded }})
	t.Cleanup(w.Close)
	return w
}

func (w *world) serve(t *testing.T, id string, change ...func(*core.MachineSpec)) core.Machine {
	t.Helper()
	spec := core.MachineSpec{
		ID: id, App: "shop", Kernel: "/k", Port: core.DefaultPort, Process: core.FirstWeb, Args: []string{guest.Node, "x.js"},
		Env:   map[string]string{"SECRET": "s3cret"},
		Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}},
		Disks: []core.Disk{{Serial: guest.DiskBase, Path: "/base"}, {Serial: guest.DiskApp, Path: "/app"}},
	}
	for _, c := range change {
		c(&spec)
	}
	m, err := w.Boot(t.Context(), spec, func(e core.Event) {
		if e.Kind == core.EventBooted {
			w.driver.mu.Lock()
			defer w.driver.mu.Unlock()
			w.said = append(w.said, e.Detail)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (w *world) expect(t *testing.T, what, want string) {
	t.Helper()
	if got := w.driver.took(); got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (w *world) says(t *testing.T, want string) {
	t.Helper()
	if got := w.said[len(w.said)-1]; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.serve(t, "a")
		w.expect(t, "the first machine", "boot a, spare")
		w.says(t, "Linux; booted anew: no spare machine was ready")
		if all, _ := w.List(t.Context()); len(all) != 1 || all[0].App != "shop" {
			t.Errorf("others see %v", all)
		}
		m := w.serve(t, "b")
		w.expect(t, "the second", "hand b, spare")
		w.says(t, "spare")
		if !strings.HasPrefix(m.ID, "spare-") {
			t.Errorf("it is called %s", m.ID)
		}
		for _, s := range w.driver.specs {
			if s.App != "" || s.Env != nil || s.Args != nil || len(s.Disks) != 1 || len(s.Egress.Rules)+len(s.Egress.Links) != 0 {
				t.Errorf("a machine that is nobody's has %+v", s)
			}
		}
		w.driver.refuse = errors.New("no")
		for range mostFailures - 1 {
			w.serve(t, "c")
			w.expect(t, "one that cannot be handed over", "hand c, stop, boot c, spare")
		}
		w.serve(t, "d")
		w.expect(t, "the last try", "hand d, stop, boot d")
		w.serve(t, "e")
		w.expect(t, "no more", "boot e")
		w.serve(t, "run", func(s *core.MachineSpec) { s.Task, s.Port = &core.Task{}, 0 })
		w.expect(t, "a command", "boot run")
		w.says(t, "Linux")
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.serve(t, "a")
		w.driver.took()
		w.Leave()
		w.expect(t, "an upgrade of gitd", "")
		w.Close()
		w.expect(t, "the end of gitd", "stop")
		w.serve(t, "b")
		w.expect(t, "afterwards", "boot b")
	})
}

// TestCold: what cannot become another machine boots, and says why.
func TestCold(t *testing.T) {
	for why, change := range map[string]func(*core.MachineSpec){
		"booted anew: it listens on another port": func(s *core.MachineSpec) { s.Port = 3000 },
		"booted anew: it has a volume":            func(s *core.MachineSpec) { s.Disks = append(s.Disks, core.Disk{Serial: "vol-x", Writable: true}) },
		"booted anew: it has packages of Debian":  func(s *core.MachineSpec) { s.Disks = append(s.Disks, core.Disk{Serial: guest.DiskDebian}) },
		"booted anew: no spare machine was ready": func(s *core.MachineSpec) { s.MemoryMiB = 256 },
		"Node starts anew: NODE_OPTIONS is set":   func(s *core.MachineSpec) { s.Env = map[string]string{"NODE_OPTIONS": "--trace-warnings"} },
		"Node starts anew: node has options":      func(s *core.MachineSpec) { s.Args = []string{guest.Node, "--trace-warnings", "x.js"} },
		"Node starts anew: NODE_EXTRA_CA_CERTS is set": func(s *core.MachineSpec) {
			s.Args, s.Steps = nil, []core.Process{{Args: []string{guest.Node, "x.js"}, Env: map[string]string{"NODE_EXTRA_CA_CERTS": "x"}}}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.serve(t, "a")
			w.driver.took()
			w.serve(t, "b", change)
			synctest.Wait()
			if got := w.said[len(w.said)-1]; !strings.HasSuffix(got, "; "+why) {
				t.Errorf("it says %q, want %q", got, why)
			}
		})
	}
}

// TestExpect: after a start of gitd, what runs says which machines will be wanted.
func TestExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.Expect(nil)
		w.expect(t, "with nothing deployed", "")
		small := core.MachineSpec{Port: core.DefaultPort, Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}}}
		other := small
		other.MemoryMiB = 256
		w.Expect([]core.MachineSpec{small, small, other})
		w.expect(t, "with three apps", "spare")
		if got := w.driver.specs[0].MemoryMiB; got != 128 {
			t.Errorf("it has %d MiB", got)
		}
	})
}

func TestNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		w.serve(t, "a")
		w.serve(t, "b")
		w.expect(t, "without spare machines", "boot a, boot b")
		w.says(t, "Linux")
	})
}

// TestCrowded: a host without memory has no spare machines, and those that wait give way to an app's own.
func TestCrowded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.serve(t, "a")
		w.expect(t, "with room", "boot a, spare, spare")
		w.driver.crowded = true
		w.serve(t, "b", func(s *core.MachineSpec) { s.MemoryMiB = 512 })
		w.expect(t, "without", "stop, stop, boot b")
	})
}

// TestDoesNotStart: a spare machine ends while it is being started. Another one waits soon: none did until the next
// deployment.
func TestDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.driver.fails = errors.New("QEMU has ended")
		w.serve(t, "a")
		w.expect(t, "one that fails", "boot a, spare, spare")
	})
}

// TestYield: a spare machine that is not up yet ends when one boots that somebody waits for, and comes after it.
func TestYield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.driver.never = true
		w.serve(t, "a")
		w.expect(t, "the first", "boot a, spare")
		w.driver.never = false
		w.serve(t, "b")
		w.expect(t, "the next", "boot b, stop, spare")
		w.serve(t, "c")
		w.expect(t, "one that finds a machine up", "hand c, spare")
		w.serve(t, "d", func(s *core.MachineSpec) { s.Port = 3000 })
		w.expect(t, "one of another kind leaves what is up", "boot d")
	})
}

// TestLost: a machine that ends while it waits is replaced.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for range mostFailures {
			w.serve(t, "a")
			w.driver.took()
			w.driver.mu.Lock()
			for _, watch := range w.driver.spares {
				go watch(core.Event{Kind: core.EventHung})
			}
			w.driver.mu.Unlock()
			w.expect(t, "a machine is lost", "stop, spare")
			w.serve(t, "b")
			w.expect(t, "the next one is there", "hand b, spare")
		}
	})
}

// TestBroken: spare machines that never come up are given up, and do not start for ever.
func TestBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.driver.broken = true
		w.serve(t, "a")
		w.expect(t, "three tries", "boot a, spare, stop, spare, stop, spare, stop")
		w.serve(t, "a")
		w.expect(t, "no more", "boot a")
	})
}

// TestMostUsed: what waits has the shape that boots most.
func TestMostUsed(t *testing.T) {
	large := func(s *core.MachineSpec) { s.MemoryMiB = 512 }
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.serve(t, "a")
		w.expect(t, "a small one", "boot a, spare")
		w.serve(t, "b", large)
		w.expect(t, "as many large ones: the latest counts", "boot b, stop, spare")
		w.serve(t, "c")
		w.expect(t, "small ones again", "boot c, stop, spare")
		if got := w.driver.specs[len(w.driver.specs)-1].MemoryMiB; got != 128 {
			t.Errorf("it has %d MiB", got)
		}
	})
}

// TestBusy: a spare machine does not boot beside one that somebody waits for, nor between two of these.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.driver.slow = make(chan struct{})
		w.Expect([]core.MachineSpec{{Port: core.DefaultPort}})
		w.serve(t, "a")
		w.serve(t, "b")
		w.expect(t, "two boots", "boot a, boot b")
		w.driver.slow <- struct{}{}
		w.expect(t, "one of them is up", "")
		w.driver.slow <- struct{}{}
		time.Sleep(quiet / 2)
		w.serve(t, "c")
		w.expect(t, "the next one begins at once", "boot c")
		w.driver.slow <- struct{}{}
		w.expect(t, "it is quiet", "spare")
	})
}

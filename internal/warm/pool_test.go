package warm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// driver is one on which machines come up at once, and answer when they go on.
type driver struct {
	fleet.Driver

	mu     sync.Mutex
	runs   map[string]core.Watch
	calls  []string
	refuse error // of Resume
	mute   bool  // guests say nothing when they go on
	room   int   // machines that the host has memory for
}

func (d *driver) did(what, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls = append(d.calls, what+" "+id)
}

func (d *driver) says(id string, kinds ...core.EventKind) {
	d.mu.Lock()
	w := d.runs[id]
	d.mu.Unlock()
	for _, k := range kinds {
		if w == nil {
			return // it was stopped meanwhile
		}
		w(core.Event{Kind: k, Detail: "Linux", Boot: &core.BootTimes{Host: time.Hour}})
	}
}

func (d *driver) Boot(_ context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	d.did("boot", spec.ID)
	d.mu.Lock()
	d.runs[spec.ID] = w
	d.mu.Unlock()
	d.says(spec.ID, core.EventBooted, core.EventListening)
	return core.Machine{ID: spec.ID, App: spec.App, Addr: "@" + spec.ID}, nil
}

func (d *driver) Stop(_ context.Context, id string, grace time.Duration) error {
	d.did(fmt.Sprintf("stop(%s)", grace), id)
	d.mu.Lock()
	w := d.runs[id]
	delete(d.runs, id)
	d.mu.Unlock()
	if w != nil {
		w(core.Event{Kind: core.EventGone})
	}
	return nil
}

func (d *driver) Restrict(_ context.Context, id string, _ core.Egress) error {
	d.did("restrict", id)
	return nil
}

func (d *driver) Pause(_ context.Context, id string) error {
	d.did("pause", id)
	return nil
}

func (d *driver) Resume(_ context.Context, id string) error {
	d.did("resume", id)
	if d.refuse == nil && !d.mute {
		go d.says(id, core.EventBooted, core.EventListening, core.EventBooted)
	}
	return d.refuse
}

func (d *driver) List(context.Context) (all []core.Machine, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.runs {
		all = append(all, core.Machine{ID: id})
	}
	return all, nil
}

// world is a pool on a driver.
type world struct {
	*Pool
	t      *testing.T
	driver *driver
	heard  map[string][]string // by the id of the spec
}

func within(t *testing.T, keep time.Duration, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &driver{runs: map[string]core.Watch{}, room: 100}
		w := &world{t: t, driver: d, heard: map[string][]string{}}
		w.Pool = New(d, d, Config{For: keep, Log: slog.New(slog.DiscardHandler), Room: func(core.Resources) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.runs) < d.room
		}})
		defer w.Close()
		test(w)
	})
}

// release is a machine of a version of code: its config is s3cret unless change says another.
func release(id, code string, change ...func(*core.MachineSpec)) core.MachineSpec {
	spec := core.MachineSpec{
		ID: id, App: "shop", Release: int(id[0]-'a') + 1, Port: core.DefaultPort, Process: core.FirstWeb, Kept: true,
		Env:   map[string]string{"SECRET": "s3cret", releaseVar: "v" + id},
		Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}},
		Disks: []core.Disk{{Serial: "app", Path: code}},
		Steps: []core.Process{{Args: []string{"node"}, Env: map[string]string{releaseVar: "v" + id}}},
	}
	for _, c := range change {
		c(&spec)
	}
	return spec
}

func (w *world) boot(spec core.MachineSpec) core.Machine {
	w.t.Helper()
	m, err := w.Boot(w.t.Context(), spec, func(e core.Event) {
		w.driver.mu.Lock()
		defer w.driver.mu.Unlock()
		w.heard[spec.ID] = append(w.heard[spec.ID], fmt.Sprintf("%s %s %v", e.Kind, e.Detail, e.Boot != nil))
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// replace keeps a machine, if it can be.
func (w *world) replace(m core.Machine) {
	w.t.Helper()
	w.Keep("shop", m.ID)
	if err := w.Stop(w.t.Context(), m.ID, time.Second); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) expect(what, want string) {
	w.t.Helper()
	synctest.Wait()
	w.driver.mu.Lock()
	got := strings.Join(w.driver.calls, ", ")
	w.driver.calls = nil
	w.driver.mu.Unlock()
	if got != want {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestRollback(t *testing.T) {
	within(t, time.Minute, func(w *world) {
		a := w.boot(release("a", "/one"))
		b := w.boot(release("b", "/two"))
		w.replace(a)
		w.expect("two releases", "boot a, boot b, pause a")
		if all, _ := w.List(t.Context()); len(all) != 1 || all[0].ID != "b" {
			t.Errorf("others see %v", all)
		}
		time.Sleep(30 * time.Second)
		c := w.boot(release("c", "/one"))
		w.expect("a rollback", "restrict a, resume a")
		if c.ID != "a" || c.Release != 3 || c.Addr != "@a" || !c.Kept {
			t.Errorf("it got %+v", c)
		}
		if got := strings.Join(w.heard["c"], "; "); got != "booted resumed the machine of v1, which was kept for 30.0s false; listening Linux false; booted resumed the machine of v1, which was kept for 30.0s false" {
			t.Errorf("it was told %q", got)
		}
		w.replace(b)
		w.boot(release("d", "/two"))
		w.expect("and forward", "pause b, restrict b, resume b")
		w.replace(c)
		time.Sleep(time.Minute)
		w.expect("later", "pause a, resume a, stop(1s) a")
		w.boot(release("e", "/one"))
		w.expect("too late", "boot e")
	})
}

// TestAnother: a machine that is not as the one that is wanted stays where it is.
func TestAnother(t *testing.T) {
	for what, change := range map[string]func(*core.MachineSpec){
		"another config":   func(s *core.MachineSpec) { s.Env["SECRET"] = "other" },
		"more memory":      func(s *core.MachineSpec) { s.MemoryMiB = 256 },
		"another base":     func(s *core.MachineSpec) { s.Kernel = "/k2" },
		"another name":     func(s *core.MachineSpec) { s.App, s.Hostname = "store", "store" },
		"another process":  func(s *core.MachineSpec) { s.Process.Number = 2 },
		"another start":    func(s *core.MachineSpec) { s.Args = []string{"node", "y.js"} },
		"a revival of it":  func(s *core.MachineSpec) { s.Kept = false },
		"a volume":         func(s *core.MachineSpec) { s.Disks = append(s.Disks, core.Disk{Writable: true}) },
		"a step of others": func(s *core.MachineSpec) { s.Steps[0].Env["X"] = "1" },
	} {
		within(t, time.Minute, func(w *world) {
			a := w.boot(release("a", "/one"))
			w.replace(a)
			w.boot(release("b", "/one", change))
			w.expect(what, "boot a, pause a, boot b")
		})
	}
}

// TestNotKept: these are stopped at once.
func TestNotKept(t *testing.T) {
	for what, change := range map[string]func(*core.MachineSpec){
		"one with a volume": func(s *core.MachineSpec) { s.Disks = append(s.Disks, core.Disk{Writable: true}) },
		"a worker":          func(s *core.MachineSpec) { s.Process.Type = "worker" },
		"a command":         func(s *core.MachineSpec) { s.Task = &core.Task{} },
	} {
		within(t, time.Minute, func(w *world) {
			w.replace(w.boot(release("a", "/one", change)))
			w.expect(what, "boot a, stop(1s) a")
		})
	}
	within(t, 0, func(w *world) {
		w.replace(w.boot(release("a", "/one")))
		w.expect("with --keep-warm 0", "boot a, stop(1s) a")
	})
	within(t, time.Minute, func(w *world) {
		a := w.boot(release("a", "/one"))
		w.Keep("shop", a.ID)
		w.Unkeep(a.ID)
		if err := w.Stop(t.Context(), a.ID, time.Second); err != nil {
			t.Error(err)
		}
		w.expect("one with requests that go on", "boot a, stop(1s) a")
		b := w.boot(release("b", "/one"))
		w.Keep("shop", b.ID)
		w.End("shop")
		if err := w.Stop(t.Context(), b.ID, time.Second); err != nil {
			t.Error(err)
		}
		w.expect("one of an app that has changed since", "boot b, stop(1s) b")
	})
}

// TestEnd: what is kept of an app ends with it, and that of others does not.
func TestEnd(t *testing.T) {
	within(t, time.Minute, func(w *world) {
		w.replace(w.boot(release("a", "/one")))
		other := w.boot(release("b", "/one", func(s *core.MachineSpec) { s.App = "blog" }))
		w.Keep("blog", other.ID)
		if err := w.Stop(t.Context(), other.ID, time.Minute); err != nil {
			t.Error(err)
		}
		w.End("shop")
		w.expect("the end of one", "boot a, pause a, boot b, pause b, resume a, stop(1s) a")
		w.Close()
		w.expect("the end of gitd", "resume b, stop(3s) b")
	})
}

// TestCrowded: each boot has the memory of the oldest machines that are kept, and a machine is kept only where another
// one has room beside it.
func TestCrowded(t *testing.T) {
	within(t, time.Minute, func(w *world) {
		w.driver.room = 4
		for _, id := range []string{"a", "b"} {
			w.replace(w.boot(release(id, "/"+id)))
			time.Sleep(time.Second)
		}
		w.boot(release("c", "/c"))
		w.expect("with room", "boot a, pause a, boot b, pause b, boot c")
		w.boot(release("d", "/d", func(s *core.MachineSpec) { s.Process.Type, s.Kept = "worker", false }))
		w.boot(release("e", "/e"))
		w.expect("the room ends", "boot d, resume a, stop(1s) a, boot e")
		if !w.MakeRoom(t.Context(), core.Resources{}) {
			t.Error("there is no room for a spare machine")
		}
		w.expect("a spare machine", "resume b, stop(1s) b")
		w.driver.room = 3
		w.replace(core.Machine{ID: "c"})
		w.expect("no room", "stop(1s) c")
	})
}

// TestMost: of each process, the newest are kept.
func TestMost(t *testing.T) {
	within(t, time.Hour, func(w *world) {
		for _, id := range []string{"a", "b", "c"} {
			w.replace(w.boot(release(id, "/"+id)))
			time.Sleep(time.Second)
		}
		w.expect("three", "boot a, pause a, boot b, pause b, boot c, resume a, stop(1s) a, pause c")
	})
}

// TestLost: a machine that ends while it is kept, or does not go on, costs the rollback nothing but its time.
func TestLost(t *testing.T) {
	within(t, time.Minute, func(w *world) {
		w.replace(w.boot(release("a", "/one")))
		w.driver.says("a", core.EventGone)
		w.expect("it is killed", "boot a, pause a, stop(0s) a")
		w.boot(release("b", "/one"))
		w.expect("the rollback", "boot b")

		w.replace(core.Machine{ID: "b"})
		w.driver.refuse = errors.New("no")
		w.boot(release("c", "/one"))
		w.expect("it does not go on", "pause b, restrict b, resume b, stop(0s) b, boot c")

		if got := strings.Join(w.heard["c"], "; "); got != "booted Linux true; listening Linux true" {
			t.Errorf("of the one that was booted instead, the fleet was told %q", got)
		}
		w.driver.refuse, w.driver.mute = nil, true
		w.replace(core.Machine{ID: "c"})
		w.boot(release("d", "/one"))
		time.Sleep(answerTime)
		w.expect("it is silent", "pause c, restrict c, resume c")
		if got := strings.Join(w.heard["d"], "; "); !strings.HasPrefix(got, "hung it was kept, and says nothing") {
			t.Errorf("the fleet was told %q", got)
		}
	})
}

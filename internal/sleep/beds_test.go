package sleep

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// world is a driver, a saver and a ledger in memory.
type world struct {
	fleet.Driver

	t      *testing.T
	state  core.StateDir
	host   string
	booted []string          // ids that were booted anew
	memory map[string]string // of the machines that run, by id
	rows   map[string]*core.Bed
	refuse error // of Save
	seen   bool  // of Restore: the row was there when the machine went on
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, state: core.StateDir(t.TempDir()), host: "here", memory: map[string]string{}, rows: map[string]*core.Bed{}}
	if err := w.state.Create(); err != nil {
		t.Fatal(err)
	}
	return w
}

// gitd is one process of it.
func (w *world) gitd() *Beds {
	b := New(Config{State: w.state, Ledger: w, Driver: w, Saver: w, Log: slog.New(slog.DiscardHandler)})
	if err := b.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) Boot(_ context.Context, spec core.MachineSpec, _ core.Watch) (core.Machine, error) {
	w.booted = append(w.booted, spec.ID)
	w.memory[spec.ID] = "new"
	return core.Machine{ID: spec.ID, App: spec.App, Release: spec.Release}, nil
}

func (w *world) Stop(_ context.Context, id string, _ time.Duration) error {
	delete(w.memory, id)
	return nil
}

func (w *world) List(context.Context) (all []core.Machine, err error) {
	for id := range w.memory {
		all = append(all, core.Machine{ID: id})
	}
	return all, nil
}

func (w *world) Save(_ context.Context, id string, to io.WriteCloser) ([]string, error) {
	if _, err := io.WriteString(to, w.memory[id]); err != nil {
		return nil, err
	}
	if w.refuse != nil {
		return nil, w.refuse
	}
	return []string{"base", "app"}, to.Close()
}

func (w *world) Restore(_ context.Context, spec core.MachineSpec, serials []string, from io.Reader, _ core.Watch) (m core.Machine, err error) {
	memory, err := io.ReadAll(from)
	if err != nil {
		return m, err
	}
	if !slices.Equal(serials, []string{"base", "app"}) {
		return m, errors.New("other disks")
	}
	w.seen = w.rows[spec.App] != nil
	w.memory[spec.ID] = string(memory)
	return core.Machine{ID: spec.ID, App: spec.App, Release: spec.Release}, nil
}

func (w *world) Host() string { return w.host }

func (w *world) Sleeps(context.Context) (all []core.Sleep, err error) {
	for app, bed := range w.rows {
		all = append(all, core.Sleep{App: app, Bed: bed})
	}
	return all, nil
}

func (w *world) SetSleepAfter(context.Context, string, *time.Duration) error { return nil }

func (w *world) SetBed(_ context.Context, app string, bed *core.Bed) error {
	delete(w.rows, app)
	if bed != nil {
		w.rows[app] = bed
	}
	return nil
}

// files are those that sleepers have.
func (w *world) files() (names []string) {
	all, err := os.ReadDir(core.Sleeping(w.state))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

func spec(id string) core.MachineSpec {
	return core.MachineSpec{
		ID: id, App: "shop", Release: 3, Env: map[string]string{"TOKEN": "hush-hush"}, Kernel: "/bases/a/kernel",
		Disks: []core.Disk{{Serial: "base", Path: "/bases/a/root"}, {Serial: "app", Path: "/layers/x"}},
		Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}},
	}
}

func (w *world) boot(b *Beds, s core.MachineSpec) {
	w.t.Helper()
	if _, err := b.Boot(w.t.Context(), s, func(core.Event) {}); err != nil {
		w.t.Fatal(err)
	}
}

// asleep is a world in which the app shop sleeps, with something in its memory.
func asleep(t *testing.T) (*world, *Beds) {
	w := newWorld(t)
	b := w.gitd()
	deployed := spec("one")
	deployed.Kept = true // a rollback might have taken a machine that was kept
	w.boot(b, deployed)
	w.memory["one"] = "secret memory"
	if !b.lie("shop", "one") || b.lie("shop", "one") {
		t.Fatal("it lies twice")
	}
	if err := b.save(t.Context(), core.Machine{ID: "one", App: "shop", Release: 3}); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context(), "one", 0); err != nil {
		t.Fatal(err)
	}
	w.booted = nil
	return w, b
}

// TestWake: a machine goes on where it was saved, under another id, once. Nobody reads its memory or its config from
// the disk, and nothing is left there.
func TestWake(t *testing.T) {
	w, _ := asleep(t)
	for _, name := range w.files() {
		path := filepath.Join(core.Sleeping(w.state), name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		if strings.Contains(string(text), "secret") || strings.Contains(string(text), "hush") {
			t.Errorf("%s has it in plain", name)
		}
	}
	b := w.gitd() // after a restart, too
	if !b.Asleep("shop") || !b.rouse("shop") {
		t.Fatal("a restart of gitd woke it")
	}
	w.boot(b, spec("two"))
	if w.memory["two"] != "secret memory" || len(w.booted) > 0 || w.seen {
		t.Errorf("memory %q, booted %q, in the ledger still: %v", w.memory["two"], w.booted, w.seen)
	}
	b.Over("shop")
	if got := w.files(); !slices.Equal(got, []string{"two.print"}) {
		t.Errorf("files %q", got)
	}
	w.boot(b, spec("three"))
	if len(w.booted) != 1 {
		t.Error("it goes on twice")
	}
}

// TestOtherBoots: a machine that is booted for another reason than a wake is a new one: a deployment, a restart.
func TestOtherBoots(t *testing.T) {
	w, b := asleep(t)
	w.boot(b, spec("two"))
	if w.memory["two"] != "new" || !b.Asleep("shop") {
		t.Errorf("memory %q, asleep %v", w.memory["two"], b.Asleep("shop"))
	}
}

// TestNoUse: what was saved does not match, or is damaged. The app boots, and the file is thrown away.
func TestNoUse(t *testing.T) {
	state := func(w *world) string { return filepath.Join(core.Sleeping(w.state), "one.state") }
	for name, spoil := range map[string]func(t *testing.T, w *world, s *core.MachineSpec){
		"other config":                func(_ *testing.T, _ *world, s *core.MachineSpec) { s.Env["TOKEN"] = "x" },
		"other base":                  func(_ *testing.T, _ *world, s *core.MachineSpec) { s.Disks[0].Path = "/bases/b/root" },
		"other size":                  func(_ *testing.T, _ *world, s *core.MachineSpec) { s.MemoryMiB = 256 },
		"other release":               func(_ *testing.T, _ *world, s *core.MachineSpec) { s.Release = 4 },
		"other machines, QEMU or CPU": func(_ *testing.T, w *world, _ *core.MachineSpec) { w.host = "there" },
		"key does not open":           func(_ *testing.T, w *world, _ *core.MachineSpec) { w.rows["shop"].Key = nil },
		"file of a backup":            func(t *testing.T, w *world, _ *core.MachineSpec) { must(t, os.Remove(state(w))) },
		"file is cut off":             func(t *testing.T, w *world, _ *core.MachineSpec) { must(t, os.Truncate(state(w), 3)) },
		"file is another's": func(t *testing.T, w *world, _ *core.MachineSpec) {
			must(t, os.WriteFile(state(w), make([]byte, 99), 0o600))
		},
		"print is cut short": func(t *testing.T, w *world, _ *core.MachineSpec) {
			must(t, os.Truncate(filepath.Join(core.Sleeping(w.state), "one.print"), 3))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := asleep(t)
			s := spec("two")
			spoil(t, w, &s)
			b := w.gitd()
			b.rouse("shop")
			w.boot(b, s)
			b.Over("shop")
			if w.memory["two"] != "new" || !slices.Equal(w.files(), []string{"two.print"}) || len(w.rows) > 0 {
				t.Errorf("memory %q, files %q, rows %v", w.memory["two"], w.files(), w.rows)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestNotSaved: the disk is full, or gitd ends in the middle. The machine goes on, and nothing is left of the attempt.
func TestNotSaved(t *testing.T) {
	w := newWorld(t)
	b := w.gitd()
	w.boot(b, spec("one"))
	w.refuse = errors.New("no space left on device")
	b.lie("shop", "one")
	if err := b.save(t.Context(), core.Machine{ID: "one", App: "shop", Release: 3}); !errors.Is(err, w.refuse) {
		t.Error(err)
	}
	b.Over("shop")
	if b.Asleep("shop") || len(w.rows) > 0 {
		t.Error("it counts as asleep")
	}
	if !b.noted("one") { // it was so: what did not fall asleep once never did again
		t.Error("it cannot be saved another time")
	}
	must(t, os.WriteFile(filepath.Join(core.Sleeping(w.state), "one.new"), []byte("half"), 0o600))
	must(t, os.WriteFile(filepath.Join(core.Sleeping(w.state), "gone.state"), []byte("whole"), 0o600))
	w.boot(b, spec("one"))
	w.gitd()
	if got := w.files(); !slices.Equal(got, []string{"one.print"}) {
		t.Errorf("files %q", got)
	}
}

// TestRenamed: an app that sleeps is renamed. It sleeps under its new name, and boots: its machine had the old one.
func TestRenamed(t *testing.T) {
	w, b := asleep(t)
	b.Rename("shop", "store")
	if b.Asleep("shop") || !b.rouse("store") {
		t.Fatal("it does not sleep under its new name")
	}
	s := spec("two")
	s.App, s.Hostname = "store", "store"
	w.boot(b, s)
	if w.memory["two"] != "new" {
		t.Error("it goes on with its old name")
	}
}

// TestUpgrade: another gitd that makes the same machines saves those that the one before has booted, and they go on. If
// it makes other ones, they are not saved at all: they were, and booted at the wake.
func TestUpgrade(t *testing.T) {
	w, _ := asleep(t)
	b := w.gitd()
	b.rouse("shop")
	w.boot(b, spec("two"))
	b.Over("shop")
	if b = w.gitd(); w.memory["two"] != "secret memory" || !b.noted("two") {
		t.Errorf("memory %q, can be saved: %v", w.memory["two"], b.noted("two"))
	}
	w.host = "there"
	if b = w.gitd(); b.noted("two") || b.noted("unknown") {
		t.Error("a machine is saved that cannot go on")
	}
	w.boot(b, spec("three"))
	if !b.noted("three") {
		t.Error("a machine of this gitd cannot be saved")
	}
}

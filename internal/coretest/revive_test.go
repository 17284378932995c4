package coretest

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// status returns the status of shop.
func (w *world) status() fleet.AppStatus {
	w.t.Helper()
	s, err := w.core.Status(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// TestLostDuringABuild: the replacement of a lost machine does not wait for a
// build of the same app, which may take many minutes.
func TestLostDuringABuild(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	g := w.holdBuild(commit(2))
	p := w.beginMain(commit(1), commit(2))
	receives(t, "the build begins", g.reached)
	lost := w.driver.all()[0]
	lost.watch(core.Event{Kind: core.EventGone, Detail: "killed"})
	w.eventually("another machine serves", func() bool {
		s := w.status()
		return s.State == fleet.Running && s.Machine != lost.ID && s.Restarts == 1
	})
	close(g.open)
	if reject, out := p.end(); reject != "" {
		t.Errorf("%s\n%s", reject, out)
	}
	w.eventually("only the new machine is left", func() bool { return w.driver.count() == 1 })
}

// TestUnseenMachine: an app whose machine libvirt does not show any more is not called running. Nothing is done to it,
// until libvirt shows it again or says that it has ended.
func TestUnseenMachine(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	m := w.driver.all()[0]
	m.watch(core.Event{Kind: core.EventUnseen, Detail: "it has closed the connection"})
	if s := w.status(); s.State != fleet.Unseen || s.Machine != m.ID || !strings.Contains(s.Reason, "libvirt is away: it has closed the connection") {
		t.Errorf("unseen: %+v", s)
	}
	m.watch(core.Event{Kind: core.EventSeen})
	if s := w.status(); s.State != fleet.Running || s.Machine != m.ID || s.Reason != "" {
		t.Errorf("seen again: %+v", s)
	}
	m.watch(core.Event{Kind: core.EventUnseen})
	m.watch(core.Event{Kind: core.EventGone, Detail: "it ended while libvirt was away"})
	w.eventually("another machine serves", func() bool {
		s := w.status()
		return s.State == fleet.Running && s.Machine != m.ID
	})
}

// TestHungMachineIsReplaced: the machine of a guest that has fallen silent is destroyed, and its app starts again in
// another one.
func TestHungMachineIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	hung := w.driver.all()[0]
	hung.watch(core.Event{Kind: core.EventHung, Detail: "no beat for 30s"})
	w.eventually("another machine serves", func() bool {
		all := w.driver.all()
		return len(all) == 1 && all[0].ID != hung.ID && w.status().State == fleet.Running
	})
	list, err := w.ledger.Entries(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	var lost string
	for _, e := range list {
		if e.Action == "machine.lost" {
			lost = e.Detail
		}
	}
	if !strings.Contains(lost, "it does not answer: no beat for 30s") {
		t.Errorf("the audit says %q", lost)
	}
}

// TestHungCandidateFails: a candidate that falls silent has failed.
func TestHungCandidateFails(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.driver.behave(func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted})
		m.watch(core.Event{Kind: core.EventHung, Detail: "no beat for 30s"})
	})
	if reject, _ := w.push(commit(1), commit(2)); !strings.Contains(reject, "it does not answer: no beat for 30s") {
		t.Errorf("rejected %q", reject)
	}
}

// TestCrashLoopInTheGuest: an app that ends again and again is shown as a crash loop, with its last lines, and each end
// is in the audit. After a push has replaced it, the loop is over.
func TestCrashLoopInTheGuest(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	m := w.driver.all()[0]
	for range 3 {
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "Error: out of \x1b[31mcheese"})
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
		if s := w.status(); s.State == fleet.Running {
			t.Errorf("between two runs: %+v", s)
		}
		m.watch(core.Event{Kind: core.EventListening})
	}
	s := w.status()
	if s.State != fleet.CrashLoop || s.Restarts != 3 || !strings.Contains(strings.Join(s.LastLines, "\n"), "Error: out of cheese") {
		t.Errorf("%+v", s)
	}
	w.eventually("each end is in the audit", func() bool {
		list, err := w.ledger.Entries(t.Context(), "shop", 0)
		n := 0
		for _, e := range list {
			if e.Action == "app.crashed" && strings.Contains(e.Detail, "exit code 1") {
				n++
			}
		}
		return err == nil && n == 3
	})
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	if s := w.status(); s.State != fleet.Running || s.Release != 2 {
		t.Errorf("after the push: %+v", s)
	}
}

// TestCrashLoopOfMachines: a live release that does not start any more is tried again, with pauses. A push takes its
// place without waiting for them.
func TestCrashLoopOfMachines(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.driver.behave(func(m *fakeMachine) {
		if m.Release > 1 {
			healthy(m)
			return
		}
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "no cheese"})
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
	})
	w.driver.all()[0].watch(core.Event{Kind: core.EventGone, Detail: "killed"})
	w.eventually("a try has failed", func() bool {
		_, down := w.router.target("shop")
		return strings.Contains(down, "it does not start: the app did not start: exit code 1; next try in")
	})
	if s := w.status(); s.State != fleet.Down || s.Reason == "" || !strings.Contains(strings.Join(s.LastLines, "\n"), "no cheese") {
		t.Errorf("%+v", s)
	}
	w.eventually("it is seen as a loop", func() bool { return w.status().State == fleet.CrashLoop })
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
	w.eventually("one machine runs", func() bool { return w.driver.count() == 1 })
}

// TestFloodOfExits: a guest that reports an endless number of exits cannot have the ledger written for each of them.
func TestFloodOfExits(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	m := w.driver.all()[0]
	for range 5000 {
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	w.close()
	w.open()
	list, err := w.ledger.Entries(t.Context(), "shop", 0)
	if err != nil || len(list) > 60 {
		t.Errorf("%d entries, %v", len(list), err)
	}
}

// TestLiveIsLive: gitd is told to stop in the moment after a release went live. The push has succeeded, and says so.
// Otherwise git would not move the branch, and the pusher would believe that the old release still runs.
func TestLiveIsLive(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	closed := make(chan struct{})
	w.router.onSwitch = func() {
		go func() { w.core.Close(); close(closed) }()
		w.eventually("gitd is ending", func() bool {
			o := w.core.Receive(core.Push{App: "nope", Commands: []core.Command{{Ref: "refs/heads/main"}}}, nil)
			return strings.Contains(o.Verdicts[0].Reject, "gitd is stopping")
		})
	}
	reject, out := w.push(commit(1), commit(2))
	if reject != "" {
		t.Errorf("rejected %q\n%s", reject, out)
	}
	<-closed
	if app, err := w.ledger.App(t.Context(), "shop"); err != nil || app.Live != 2 {
		t.Errorf("%+v, %v", app, err)
	}
}

// TestPushDuringARevival: the revival of a release that is about to be replaced gives way at once, however long it
// would have waited.
func TestPushDuringARevival(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	booting := make(chan struct{}, 10)
	w.driver.behave(func(m *fakeMachine) {
		if m.Release > 1 {
			healthy(m)
			return
		}
		booting <- struct{}{} // and it never listens
	})
	w.driver.all()[0].watch(core.Event{Kind: core.EventGone, Detail: "killed"})
	<-booting
	if s := w.status(); s.State != fleet.Down && s.State != fleet.Starting {
		t.Errorf("%+v", s)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	w.eventually("only the new machine is left", func() bool { return w.driver.count() == 1 })
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
}

// TestReviveAllWithOneBroken: after a reboot of the host every machine is gone. All apps come back, and apps that do
// not start delay no others.
func TestReviveAllWithOneBroken(t *testing.T) {
	w := newWorld(t)
	apps := []string{"a", "b", "c", "d", "e", "f", "g", "shop"}
	for i, app := range apps {
		if reject, out := w.begin(app, core.Command{Ref: "refs/heads/main", Old: none, New: commit(i + 1)}).end(); reject != "" {
			t.Fatalf("%s\n%s", reject, out)
		}
	}
	w.close()
	for _, m := range w.driver.all() {
		m.close()
	}
	w.driver.mu.Lock()
	clear(w.driver.machines)
	w.driver.mu.Unlock()
	w.driver.behave(func(m *fakeMachine) {
		if m.App == "a" || m.App == "b" {
			m.watch(core.Event{Kind: core.EventGone, Detail: "no disk"})
			return
		}
		healthy(m)
	})
	w.open()
	w.eventually("the sound apps serve", func() bool {
		for _, app := range apps[2:] {
			if addr, _ := w.router.target(app); addr == "" {
				return false
			}
		}
		return true
	})
	w.driver.behave(healthy)
	w.eventually("the others come back too", func() bool {
		a, _ := w.router.target("a")
		b, _ := w.router.target("b")
		return a != "" && b != ""
	})
}

// TestFullDisk: if the ledger cannot be written, the push fails cleanly. As soon as there is room, the release gets its
// final state.
func TestFullDisk(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.close()
	full := &fullLedger{}
	w.openWith(func(c *engine.Config) { full.Ledger = w.ledger; c.Ledger = full })
	w.build = func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
		full.set(true)
		return core.Manifest{}, errors.New("write layer: no space left on device")
	}
	reject, _ := w.push(commit(1), commit(2))
	if !strings.Contains(reject, "no space left") {
		t.Errorf("rejected %q", reject)
	}
	if r, err := w.ledger.Release(t.Context(), "shop", 2); err != nil || r.State != core.Building {
		t.Errorf("while the disk is full: %+v, %v", r, err)
	}
	full.set(false)
	w.wants(map[int]core.State{1: core.Live, 2: core.Failed})
	w.build = w.goodBuild
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Errorf("%s\n%s", reject, out)
	}
}

// fullLedger is a ledger that cannot save releases while it is full.
type fullLedger struct {
	*ledger.Ledger
	full atomic.Bool
}

func (f *fullLedger) set(full bool) { f.full.Store(full) }

func (f *fullLedger) SaveRelease(ctx context.Context, r core.Release) error {
	if f.full.Load() {
		return errors.New("database or disk is full")
	}
	return f.Ledger.SaveRelease(ctx, r)
}

// TestPanicInTheFirstSecond: a machine whose kernel panics before anything of the app has run is started again. On a
// loaded host emulated kernels did panic ("IO-APIC + timer doesn't work"), and a sound push was refused.
func TestPanicInTheFirstSecond(t *testing.T) {
	w := newWorld(t)
	var boots atomic.Int32
	w.driver.behave(func(m *fakeMachine) {
		if boots.Add(1) < 3 {
			m.watch(core.Event{Kind: core.EventGone, Detail: "the guest's kernel panicked"})
			return
		}
		healthy(m)
	})
	reject, out := w.push(none, commit(1))
	if reject != "" || strings.Count(out, "the guest's kernel panicked): trying again") != 2 {
		t.Errorf("%q\n%s", reject, out)
	}
	if n := w.driver.count(); n != 1 {
		t.Errorf("%d machines run", n)
	}
}

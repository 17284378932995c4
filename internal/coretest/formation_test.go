package coretest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// withTypes makes what is built from now on have these processes beside web. A worker does not listen.
func (w *world) withTypes(names ...string) {
	build := w.goodBuild
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := build(ctx, src, r)
		for _, name := range names {
			words := []core.Word{core.Plain("/usr/bin/node"), core.Plain(name + ".js")}
			m.Types = append(m.Types, core.ProcessType{Name: name, Run: []core.StartStep{{Words: words, Next: core.Next{OK: 1, Fail: 1}}}})
		}
		return m, err
	}
	w.driver.behave(works)
}

// works is healthy for machines that may be workers.
func works(m *fakeMachine) {
	if m.spec.Process.IsWeb() {
		healthy(m)
		return
	}
	m.watch(core.Event{Kind: core.EventBooted})
}

// failing makes one process end at its start, and the others work.
func failing(process string) func(m *fakeMachine) {
	return func(m *fakeMachine) {
		if m.spec.Process.String() != process {
			works(m)
			return
		}
		m.watch(core.Event{Kind: core.EventBooted})
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "Error: no queue"})
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
	}
}

// formation says what runs: the processes with their releases, sorted.
func (w *world) formation() string {
	var all []string
	for _, m := range w.driver.all() {
		all = append(all, fmt.Sprintf("%s v%d", m.spec.Process, m.Release))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (w *world) runs(want string) {
	w.t.Helper()
	w.eventually("what runs is "+want, func() bool { return w.formation() == want })
}

func (w *world) machine(process string) *fakeMachine {
	w.t.Helper()
	for _, m := range w.driver.all() {
		if m.spec.Process.String() == process {
			return m
		}
	}
	w.t.Fatalf("no machine is %s", process)
	return nil
}

func (w *world) scale(changes ...string) (out string, err error) {
	var b bytes.Buffer
	err = w.core.ScaleApp(w.t.Context(), ada, "shop", changes, &b)
	return b.String(), err
}

func (w *world) scaled(changes ...string) {
	w.t.Helper()
	if out, err := w.scale(changes...); err != nil {
		w.t.Fatalf("%v\n%s", err, out)
	}
}

// backends are how many machines get requests.
func (w *world) backends() int {
	w.router.mu.Lock()
	defer w.router.mu.Unlock()
	return len(w.router.all["shop"])
}

// TestWorkers: each worker of a Procfile has a machine, which nobody waits for to listen. The next release replaces
// all.
func TestWorkers(t *testing.T) {
	w := newWorld(t)
	w.withTypes("mail", "release", "worker")
	reject, out := w.push(none, commit(1))
	if reject != "" || !strings.Contains(out, "Booting v1 as web.1, mail.1, worker.1: each has 128 MiB, 1 CPU") || !strings.Contains(out, "web=1 mail=1 worker=1") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	w.runs("mail.1 v1, web.1 v1, worker.1 v1")
	spec := w.machine("worker.1").spec
	if spec.Args[1] != "worker.js" || spec.Env["NODEOS_PROCESS"] != "worker.1" || spec.Env["DYNO"] != "worker.1" || spec.Env["PORT"] != "8080" {
		t.Errorf("the worker was given %q and %v", spec.Args, spec.Env)
	}
	if n := w.backends(); n != 1 {
		t.Errorf("%d machines get requests", n)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	w.runs("mail.1 v2, web.1 v2, worker.1 v2")
	var names []string
	for _, p := range w.status().Processes {
		names = append(names, p.Process.String()+" "+string(p.State))
	}
	if want := []string{"web.1 running", "mail.1 running", "worker.1 running"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}

	// A release without a worker has no machine of it.
	w.withTypes("mail")
	if reject, out := w.push(commit(2), commit(3)); reject != "" {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	w.runs("mail.1 v3, web.1 v3")
}

// TestWorkerThatFails: nothing changes when a worker of a release does not start. It says so after web is healthy,
// because a worker begins to work when it boots.
func TestWorkerThatFails(t *testing.T) {
	w := newWorld(t)
	w.withTypes("mail", "worker")
	w.push(none, commit(1))
	before := w.machine("worker.1").ID
	w.driver.behave(failing("worker.1"))
	reject, out := w.push(commit(1), commit(2))
	if !strings.Contains(reject, "worker.1: the app did not start: Error: no queue (exit code 1)") || !strings.Contains(out, "| Error: no queue") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	w.runs("mail.1 v1, web.1 v1, worker.1 v1")
	if now := w.machine("worker.1").ID; now != before {
		t.Errorf("the worker was replaced: %s, %s", before, now)
	}
	// Where web fails, no worker begins.
	w.driver.behave(failing("web.1"))
	n := len(w.driver.specs)
	if reject, _ := w.push(commit(1), commit(3)); !strings.HasPrefix(reject, "the app did not start") {
		t.Errorf("rejected %q", reject)
	}
	for _, s := range w.driver.specs[n:] {
		if !s.Process.IsWeb() {
			t.Errorf("%s was booted", s.Process)
		}
	}
}

// TestLostProcess: a machine that is lost is replaced, and the others go on. Requests go to what is left of web.
func TestLostProcess(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	w.scaled("web=2")
	for _, process := range []string{"worker.1", "web.2", "web.1"} {
		lost := w.machine(process)
		others := map[string]bool{}
		for _, m := range w.driver.all() {
			others[m.ID] = m != lost
		}
		lost.watch(core.Event{Kind: core.EventGone, Detail: "killed"})
		if _, down := w.router.target("shop"); down != "" {
			t.Errorf("%s is lost, and the app is down: %s", process, down)
		}
		w.eventually(process+" is back", func() bool {
			n := 0
			for _, m := range w.driver.all() {
				if others[m.ID] {
					n++
				}
			}
			return n == 2 && w.backends() == 2 && w.formation() == "web.1 v1, web.2 v1, worker.1 v1" && w.machine(process).ID != lost.ID
		})
	}
	w.eventually("the losses are counted", func() bool { return w.status().Restarts == 3 })
}

// TestCrashLoopOfAWorker: the app runs, and its status says that its worker does not.
func TestCrashLoopOfAWorker(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	w.driver.behave(failing("worker.1"))
	w.machine("worker.1").watch(core.Event{Kind: core.EventGone, Detail: "exit code 1"})
	w.eventually("it is a crash loop", func() bool {
		s := w.status()
		return s.State == fleet.Running && len(s.Processes) == 2 && s.Processes[1].State == fleet.CrashLoop &&
			strings.Contains(s.Reason, "worker.1: crash loop: it does not start: the app did not start: exit code 1")
	})
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
	w.driver.behave(works)
	w.scaled("worker=0")
	w.runs("web.1 v1")
	if s := w.status(); s.Reason != "" || len(s.Processes) != 1 {
		t.Errorf("%+v", s)
	}
}

// TestScale: machines come and go without a release; what was set outlives pushes, rollbacks, a new name and gitd.
func TestScale(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	first := w.machine("web.1").ID
	out, err := w.scale("web=3", "worker+1")
	if err != nil || !strings.Contains(out, "=====> shop runs web=3 worker=2") {
		t.Fatalf("%v\n%s", err, out)
	}
	w.runs("web.1 v1, web.2 v1, web.3 v1, worker.1 v1, worker.2 v1")
	if w.machine("web.1").ID != first || w.backends() != 3 {
		t.Errorf("web.1 was replaced, or %d machines get requests", w.backends())
	}
	w.scaled("web-1", "worker=0")
	w.runs("web.1 v1, web.2 v1")
	if w.backends() != 2 {
		t.Errorf("%d machines get requests", w.backends())
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" || strings.Contains(out, "worker") && !strings.Contains(out, "worker=0") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	w.runs("web.1 v2, web.2 v2")

	booted := len(w.driver.specs)
	w.close()
	w.open()
	if w.backends() != 2 || len(w.driver.specs) != booted {
		t.Errorf("after a restart, %d machines get requests, and %d were booted", w.backends(), len(w.driver.specs)-booted)
	}
	w.driver.Stop(t.Context(), w.machine("web.2").ID, 0) //nolint:errcheck // it is the fake
	w.runs("web.1 v2, web.2 v2")
	if err := w.core.Rollback(t.Context(), ada, "shop", 1, nil); err != nil {
		t.Fatal(err)
	}
	w.runs("web.1 v3, web.2 v3")
	if err := w.core.RenameApp(t.Context(), ada, "shop", "store"); err != nil {
		t.Fatal(err)
	}
	w.router.mu.Lock()
	if n := len(w.router.all["store"]); n != 2 {
		t.Errorf("%d machines get requests under the new name", n)
	}
	w.router.mu.Unlock()
	s, err := w.core.ScaleOf(t.Context(), "store")
	if err != nil || s.Scale.Text(s.Manifest) != "web=2 worker=0" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestScaleThatFails: what ran goes on, and the next start does not want what failed.
func TestScaleThatFails(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	if _, err := w.scale("web=2"); err == nil {
		t.Error("an app that does not exist was scaled")
	}
	w.push(none, commit(1))
	w.driver.behave(failing("web.3"))
	out, err := w.scale("web=3")
	if err == nil || !strings.Contains(err.Error(), "web.3: the app did not start: Error: no queue") || !strings.Contains(out, "| Error: no queue") {
		t.Errorf("%v\n%s", err, out)
	}
	w.runs("web.1 v1, worker.1 v1")
	if a, err := w.ledger.App(t.Context(), "shop"); err != nil || len(a.Scale) > 0 || w.backends() != 1 {
		t.Errorf("%+v, %v, %d machines get requests", a, err, w.backends())
	}
	for change, want := range map[string]string{
		"clock=1":   "there is no process clock / the live release has web, worker",
		"release=2": "release runs once",
		"web":       `"web" says no number of machines / write it as web=2, web+1 or worker-1`,
		"web=x":     "says no number", "web=-1": "says no number", "web=2:standard-2x": "says no number",
		"web-2": "from 0 to 16", "web=17": "from 0 to 16", "web+16": "from 0 to 16",
	} {
		if _, err := w.scale(change); !strings.Contains(rejection(err), want) {
			t.Errorf("%s: %s", change, rejection(err))
		}
	}
}

// TestEndingProcess: what a Procfile names is not always a worker. The push says what to type, which counts before
// there is a release.
func TestEndingProcess(t *testing.T) {
	w := newWorld(t)
	w.withTypes("seed")
	w.driver.behave(func(m *fakeMachine) {
		works(m)
		if !m.spec.Process.IsWeb() {
			m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 0"})
		}
	})
	reject, out := w.push(none, commit(9))
	if !strings.Contains(reject, "seed.1: the app did not start: exit code 0") || !strings.Contains(out, "`apps:create shop` and `ps:scale shop seed=0` keeps it from being started, and `run shop seed` runs it") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	w.scaled("seed=0")
	if reject, out := w.push(none, commit(9)); reject != "" {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	w.runs("web.1 v2")
}

// TestScaleFits: an app cannot have more machines than the host has memory for.
func TestScaleFits(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.openWith(func(c *engine.Config) { c.Capacity = core.Resources{MemoryMiB: 300, CPUs: 2} })
	w.push(none, commit(1))
	_, err := w.scale("web=3")
	if want := "3 machines with 128 MiB each are more than the host has, which is 300 MiB / `resource shop --memory`"; !strings.Contains(rejection(err), want) {
		t.Error(rejection(err))
	}
	w.scaled("web=2")
	w.runs("web.1 v1, web.2 v1")
}

// TestScaleToNothing: an app may have no machine of web, and no machine at all.
func TestScaleToNothing(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	w.scaled("web=0")
	w.runs("worker.1 v1")
	if _, answer := w.live(); answer != "503 it has no web process" {
		t.Errorf("web=0: %q", answer)
	}
	w.scaled("worker=0")
	w.runs("")
	if s := w.status(); s.State != fleet.Stopped || !strings.Contains(s.Reason, "scaled to 0") {
		t.Errorf("%+v", s)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" || !strings.Contains(out, "no machine is to run") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	w.scaled("web=1")
	w.runs("web.1 v2")
}

// TestWorkersOnly: a Procfile without web is of an app that gets no requests.
func TestWorkersOnly(t *testing.T) {
	w := newWorld(t)
	w.withTypes("bot")
	build := w.build
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := build(ctx, src, r)
		m.Start = nil
		return m, err
	}
	reject, out := w.push(none, commit(1))
	if reject != "" || !strings.Contains(out, "=====> v1 is live: it has no web process") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	w.runs("bot.1 v1")
	if v, answer := w.live(); v != 1 || answer != "503 it has no web process" {
		t.Errorf("v%d answers %q", v, answer)
	}
	if s := w.status(); s.State != fleet.Running || s.Process.String() != "bot.1" {
		t.Errorf("%+v", s)
	}
	if _, err := w.scale("web=1"); !strings.Contains(rejection(err), "there is no process web / the live release has bot") {
		t.Error(rejection(err))
	}
}

// TestStopAndStartAll: an app is stopped and started with all of its processes, and a start that fails is tried again.
func TestStopAndStartAll(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	ctx := t.Context()
	if err := w.core.StopApp(ctx, ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	w.runs("")
	if out, err := w.scale("web=2"); err != nil || !strings.Contains(out, "it counts from the next start on") {
		t.Errorf("%v\n%s", err, out)
	}
	w.driver.behave(failing("worker.1"))
	var out bytes.Buffer
	if err := w.core.StartApp(ctx, ada, "shop", &out); err == nil || !strings.Contains(err.Error(), "worker.1: the app did not start") {
		t.Errorf("%v\n%s", err, out.String())
	}
	w.driver.behave(works)
	w.runs("web.1 v1, web.2 v1, worker.1 v1")
	if err := w.core.DestroyApp(ctx, ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	w.runs("")
}

// TestVolumeOfAFormation: a volume belongs to one machine, that of web. Only that one stops first, and web cannot have
// two.
func TestVolumeOfAFormation(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	w.scaled("web=2")
	err := w.core.CreateVolume(t.Context(), ada, "shop", "data", core.MinVolume, "/data", nil)
	if !strings.Contains(rejection(err), `web has the volume "data", which belongs to one machine at a time: it cannot have 2 machines`) {
		t.Error(rejection(err))
	}
	w.scaled("web=1", "worker=2")
	w.createVolume("data", "/data")
	if _, err := w.scale("web=2"); !strings.Contains(rejection(err), "cannot have 2 machines / keep what machines share in a database") {
		t.Error(rejection(err))
	}
	var before string
	w.driver.behave(func(m *fakeMachine) {
		if m.spec.Process.IsWeb() {
			before = w.formation()
		}
		works(m)
	})
	reject, out := w.push(commit(1), commit(2))
	if reject != "" || !strings.Contains(out, `only web.1 has the volume "data"`) || !strings.Contains(out, "Stopping v1 first") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	if before != "web.1 v2, worker.1 v1, worker.2 v1" {
		t.Errorf("while the new web boots, there is %s", before)
	}
	w.runs("web.1 v2, worker.1 v2, worker.2 v2")
	for _, m := range w.driver.all() {
		if got := len(m.spec.Mounts); (got == 1) != m.spec.Process.IsWeb() {
			t.Errorf("%s has %d volumes", m.spec.Process, got)
		}
	}
	if got := rejection(w.core.RemoveVolume(t.Context(), ada, "shop", "data", nil)); !strings.Contains(got, "in use") {
		t.Error(got)
	}

	// If the worker of the next release fails, web comes back as it was.
	w.driver.behave(func(m *fakeMachine) {
		if m.Release == 3 {
			failing("worker.2")(m)
			return
		}
		works(m)
	})
	reject, out = w.push(commit(2), commit(3))
	if !strings.Contains(reject, "worker.2: the app did not start") || !strings.Contains(out, "v2 serves again") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	w.runs("web.1 v2, worker.1 v2, worker.2 v2")
}

// TestReconcileFormation: after a restart, what is missing is started, and what is too many is stopped.
func TestReconcileFormation(t *testing.T) {
	w := newWorld(t)
	w.withTypes("worker")
	w.push(none, commit(1))
	w.scaled("web=2", "worker=2")
	w.close()
	ctx := t.Context()
	w.driver.Stop(ctx, w.machine("worker.1").ID, 0) //nolint:errcheck // it is the fake
	w.driver.Stop(ctx, w.machine("web.1").ID, 0)    //nolint:errcheck // likewise
	w.open()
	w.runs("web.1 v1, web.2 v1, worker.1 v1, worker.2 v1")
	w.eventually("two machines get requests", func() bool { return w.backends() == 2 })
}

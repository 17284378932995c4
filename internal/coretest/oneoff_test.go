package coretest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// withRelease has builds make images with a release command.
func (w *world) withRelease(words ...string) {
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Types = []core.ProcessType{{Name: core.ReleaseType, Run: []core.StartStep{step(words...)}}}
		return m, err
	}
}

// TestReleaseCommand: it runs once, with the new image and config, before the candidate boots; its output is in that of
// the push.
func TestReleaseCommand(t *testing.T) {
	w := newWorld(t)
	w.withRelease("say", "migrated", "0")
	reject, out := w.push(none, commit(1))
	if reject != "" || !strings.Contains(out, "release | migrated") || !strings.Contains(out, "release ") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	first, second := w.driver.specs[0], w.driver.specs[1]
	if first.Task == nil || first.Task.Attached || first.Env["NODEOS_RELEASE"] != "v1" || !strings.HasPrefix(first.ID, "shop-v1-release-") ||
		first.Port != 0 || second.Task != nil || len(w.driver.specs) != 2 {
		t.Errorf("booted %+v, then %+v, of %d", first, second, len(w.driver.specs))
	}
	text, err := w.builds.Text("shop", 1)
	if err != nil || !strings.Contains(text, "release | migrated") {
		t.Errorf("kept of the build: %q, %v", text, err)
	}
}

// TestReleaseCommandFails: whatever becomes of the command, the push fails, nothing changes and nothing is left.
func TestReleaseCommandFails(t *testing.T) {
	for name, c := range map[string]struct {
		words []string
		want  string
	}{
		"exit code": {[]string{"say", "no table users", "3"}, "the release command failed: exit code 3 (say no table users 3): no table users"},
		"time":      {[]string{"wait"}, "the release command failed: wait ran for longer than 2s, and was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push(none, commit(1))
			w.withRelease(c.words...)
			reject, out := w.push(commit(1), commit(2))
			if !strings.Contains(reject, c.want) {
				t.Errorf("rejected %q, want %q:\n%s", reject, c.want, out)
			}
			if v, answer := w.live(); v != 1 || answer != "v1" || w.driver.count() != 1 {
				t.Errorf("v%d answers %q, %d machines run", v, answer, w.driver.count())
			}
		})
	}
}

// TestReleaseCommandOfEachRelease: it runs for a rollback and for a change of config, as on Heroku, and not for a
// restart.
func TestReleaseCommandOfEachRelease(t *testing.T) {
	w := newWorld(t)
	w.withRelease("say", "migrated", "0")
	w.push(none, commit(1))
	count := func() (n int) {
		w.driver.mu.Lock()
		defer w.driver.mu.Unlock()
		for _, s := range w.driver.specs {
			if s.Task != nil {
				n++
			}
		}
		return n
	}
	for i, trigger := range []core.Trigger{core.ByConfig, core.ByRestart} {
		if err := w.core.Redeploy(t.Context(), core.Host(), "shop", trigger, io.Discard); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 2 {
			t.Errorf("after change %d (%s): %d release commands have run, want 2", i+1, trigger, n)
		}
	}
}

// TestReleaseCommandWithVolume: the old machine stops first, so that the command has the volume. If it fails, the old
// release serves again.
func TestReleaseCommandWithVolume(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.createVolume("data", "/data")
	w.withRelease("say", "no", "1")
	if reject, out := w.push(commit(1), commit(2)); !strings.Contains(reject, "the release command failed") ||
		!strings.Contains(out, "Stopping v1 first") || !strings.Contains(out, "v1 serves again") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	w.driver.mu.Lock()
	task := w.driver.specs[1]
	w.driver.mu.Unlock()
	if task.Task == nil || !task.Exclusive() {
		t.Errorf("the command ran with %+v", task)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
}

// running is a command that somebody runs.
type running struct {
	in       *io.PipeWriter
	out, err syncBuffer
	end      context.CancelFunc
	notes    syncBuffer
	done     chan struct{}
	ended    oneoff.Ended
	failed   error
}

// run runs words, attached.
func (w *world) run(words ...string) *running {
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	in, to := io.Pipe()
	r := &running{in: to, end: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.ended, r.failed = w.core.OneOffs.Run(ctx, core.Actor{Name: "ada"}, oneoff.Wish{
			App: "shop", Words: words, Env: map[string]string{"A": "secret"}, MemoryMiB: 256,
			Streams: &oneoff.Streams{In: in, Out: &r.out, Err: &r.err}, Tell: func(n string) { fmt.Fprintln(&r.notes, n) },
		})
	}()
	return r
}

func (w *world) ends(r *running) {
	w.t.Helper()
	select {
	case <-r.done:
	case <-time.After(20 * time.Second):
		w.t.Fatal("the command does not end")
	}
	w.eventually("one machine is left", func() bool { return w.driver.count() == 1 })
}

// TestRun: every byte goes in and comes out, more than may be on its way at once.
func TestRun(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	r := w.run("cat", "x")
	sent := bytes.Repeat([]byte("\x00\xff\r\n~."), guest.DataRoom)
	if _, err := r.in.Write(sent); err != nil {
		t.Fatal(err)
	}
	r.in.Close()
	w.ends(r)
	if r.failed != nil || r.ended.Code != 0 || r.out.String() != string(sent) || !strings.Contains(r.err.String(), "database") {
		t.Errorf("%+v, %v; %d bytes of %d came back; stderr %q", r.ended, r.failed, len(r.out.String()), len(sent), r.err.String())
	}
	spec := w.lastSpec()
	if spec.Env["A"] != "secret" || spec.MemoryMiB != 256 || !slices.Equal(spec.Steps[0].Args, []string{"cat", "x"}) {
		t.Errorf("the machine was %+v", spec)
	}
	var said []string
	entries, err := w.ledger.Entries(t.Context(), "shop", 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		said = append(said, e.Actor+" "+e.Action+" "+e.Detail)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "ada run.begin shop-v1-run-") || !strings.Contains(all, ": A=… cat x") ||
		!strings.Contains(all, "exit code 0") || strings.Contains(all, "secret") {
		t.Errorf("the audit says\n%s", all)
	}
}

// TestRunEnds: how commands end, and what their callers are told.
func TestRunEnds(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	r := w.run("say", "x", "3")
	w.ends(r)
	if r.failed != nil || r.ended.Code != 3 || r.out.String() != "x" {
		t.Errorf("%+v, %v, %q", r.ended, r.failed, r.out.String())
	}
	r = w.run("flood")
	w.ends(r)
	if !strings.Contains(rejection(r.failed), "its machine sends more than it may") {
		t.Errorf("a flood: %v", r.failed)
	}
	r = w.run("wait")
	w.eventually("it runs", func() bool { return w.driver.count() == 2 })
	r.end()
	w.ends(r)
	if !oneoff.Interrupted(r.failed) {
		t.Errorf("the caller has gone: %v", r.failed)
	}
	r = w.run("wait")
	w.eventually("it runs", func() bool { return len(w.core.OneOffs.Of("shop")) == 1 && w.driver.count() == 2 })
	if n := w.core.OneOffs.End("shop", w.core.OneOffs.Of("shop")[0].ID, "ended by bob"); n != 1 {
		t.Errorf("%d ended", n)
	}
	w.ends(r)
	if r.failed == nil || r.failed.Error() != "ended by bob" {
		t.Errorf("ended by somebody: %v", r.failed)
	}
}

// TestRunOfProcessType: a word that names a type is its command, and further words follow it.
func TestRunOfProcessType(t *testing.T) {
	w := newWorld(t)
	w.withRelease("say", "migrated", "0")
	w.push(none, commit(1))
	w.runs("web.1 v1")
	for range 2 { // a second time: the manifest is not changed by the first
		r := w.run("release", "7")
		w.ends(r)
		if r.ended.Code != 7 || r.out.String() != "migrated" {
			t.Errorf("%+v, %v, %q", r.ended, r.failed, r.out.String())
		}
	}
}

// TestRunLimit: an app has a bounded number of them, and one that has ended makes room.
func TestRunLimit(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	var all []*running
	for range 8 {
		all = append(all, w.run("wait"))
	}
	w.eventually("all run", func() bool { return w.driver.count() == 9 })
	r := w.run("wait")
	<-r.done
	if !strings.Contains(rejection(r.failed), "8 one-off machines of shop run already / `run:list shop`") {
		t.Errorf("one too many: %v", r.failed)
	}
	for _, r := range all {
		r.end()
	}
	for _, r := range all {
		<-r.done
	}
	if r := w.run("say", "x", "0"); true {
		w.ends(r)
		if r.failed != nil {
			t.Error(r.failed)
		}
	}
}

// TestRunWithoutVolumes: a volume stays with the machine that serves, and who runs a command is told.
func TestRunWithoutVolumes(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.createVolume("data", "/data")
	r := w.run("say", "x", "0")
	w.ends(r)
	if spec := w.lastSpec(); spec.Exclusive() || !strings.Contains(r.notes.String(), "without the app's volumes (data at /data)") {
		t.Errorf("%+v; told %q", spec, r.notes.String())
	}
}

// TestDestroyEndsRuns: nothing of an app that was destroyed runs on.
func TestDestroyEndsRuns(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	r := w.run("wait")
	w.eventually("it runs", func() bool { return w.driver.count() == 2 })
	if err := w.core.DestroyApp(t.Context(), core.Host(), "shop", io.Discard); err != nil {
		t.Fatal(err)
	}
	<-r.done
	if n := w.driver.count(); n != 0 || !strings.Contains(r.failed.Error(), "shop is being destroyed") {
		t.Errorf("%d machines run; the command: %v", n, r.failed)
	}
}

// TestEndOfGitdEndsRuns: a command does not outlive the gitd that somebody runs it through. What a gitd that was killed
// has left is a stray for the next one.
func TestEndOfGitdEndsRuns(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	r := w.run("wait")
	w.eventually("it runs", func() bool { return w.driver.count() == 2 })
	w.core.Close()
	<-r.done
	if w.driver.count() != 1 || r.failed == nil || r.failed.Error() != "gitd is stopping" {
		t.Errorf("%d machines run; the command: %v", w.driver.count(), r.failed)
	}
}

package coretest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/rollout"
)

// fakeBases offers one base to all apps.
type fakeBases struct {
	w    *world
	next core.BaseRef
	keep map[string]string // why an app stays, by its name

	broken string // an app that cannot be planned
	asked  atomic.Int64
}

func (b *fakeBases) Target(_ context.Context, rel core.Release, _ core.BaseWish, _ *progress.Report) (core.BaseRef, error) {
	if rel.App == b.broken {
		return rel.Manifest.BaseRef(), errors.New("its repository cannot be read")
	}
	if why := b.keep[rel.App]; why != "" {
		return rel.Manifest.BaseRef(), core.Reject(why, "")
	}
	for _, p := range []string{b.w.state.Kernel(b.next.ID), b.w.state.Root(b.next.ID)} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, nil, 0o600)); err != nil {
			return core.BaseRef{}, err
		}
	}
	return b.next, nil
}

func (b *fakeBases) MayGoBack(core.Release, core.BaseRef) error            { return nil }
func (b *fakeBases) CompileKernel(context.Context, *progress.Report) error { return nil }
func (b *fakeBases) News(context.Context) core.BaseNews {
	b.asked.Add(1)
	return core.BaseNews{}
}

var _ rollout.Bases = (*fakeBases)(nil)

// basedWorld is a world in which apps run on b1, and b2 is there.
func basedWorld(t *testing.T, apps ...string) (*world, *fakeBases) {
	t.Helper()
	w := newWorld(t)
	w.close()
	b := &fakeBases{w: w, next: core.BaseRef{ID: "b2", Node: "22.2.0"}, keep: map[string]string{}}
	w.openBased(b)
	w.build = w.onBase("b1", "22.1.0")
	for i, app := range apps {
		if reject, out := w.begin(app, core.Command{Ref: "refs/heads/main", Old: none, New: commit(i + 1)}).end(); reject != "" {
			t.Fatal(reject, out)
		}
	}
	return w, b
}

func (w *world) openBased(b *fakeBases) {
	w.openWith(func(c *engine.Config) { c.Bases = b })
}

// failsOn makes the machines of an app end on a base.
func (w *world) failsOn(app, base string) {
	w.driver.behave(func(m *fakeMachine) {
		if m.spec.App == app && m.spec.Kernel == w.state.Kernel(base) {
			m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 3"})
			w.driver.Stop(context.Background(), m.ID, 0) //nolint:errcheck // it cannot fail
			return
		}
		healthy(m)
	})
}

// onBase is a build that takes another base.
func (w *world) onBase(id, node string) func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
	return func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Base, m.Node = id, node
		return m, err
	}
}

// bases are where the apps run, in the form "app:base".
func (w *world) bases() string {
	w.t.Helper()
	lives, err := w.ledger.Lives(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, r := range lives {
		all = append(all, r.App+":"+r.Manifest.Base)
	}
	return strings.Join(all, " ")
}

// results are what became of the apps of an update.
func results(u core.BaseUpdate) string {
	var all []string
	for _, m := range u.Moves {
		all = append(all, m.App+":"+string(m.State))
	}
	return strings.Join(all, " ")
}

var root = core.Host()

// TestUpdateOfBases: each app is moved by a release of its own; one that does not come up, one that is stopped, one
// that is locked and one that must not be moved stay, with the reason. The way back leads to where each was.
func TestUpdateOfBases(t *testing.T) {
	w, b := basedWorld(t, "bad", "broken", "good", "held", "locked", "stopped")
	w.failsOn("bad", "b2")
	b.keep["held"], b.broken = "it is pinned", "broken"
	ctx := t.Context()
	w.must(w.core.LockApp(ctx, root, "locked", "the fair"))
	w.must(w.core.StopApp(ctx, root, "stopped", nil))
	u, err := w.core.Bases.Update(ctx, root, core.BaseWish{}, nil)
	if got := results(u); err != nil || got != "bad:failed broken:failed good:moved held:stays locked:failed stopped:stays" {
		t.Fatalf("%s, %v", got, err)
	}
	if got := w.bases(); got != "bad:b1 broken:b1 good:b2 held:b1 locked:b1 stopped:b1" {
		t.Error(got)
	}
	for i, want := range []string{"exit code 3", "cannot be read", "", "it is pinned", "locked by host", "ps:start stopped"} {
		if m := u.Moves[i]; !strings.Contains(m.Reason, want) {
			t.Errorf("%s: %q, want %q", m.App, m.Reason, want)
		}
	}
	r, err := w.ledger.Release(ctx, "good", 2)
	if err != nil || r.Trigger != core.ByBase || r.Commit != commit(3) || r.ImageOf != 0 || r.Manifest.Node != "22.2.0" || r.Manifest.Made.Node != "22.1.0" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err = w.ledger.Release(ctx, "bad", 2); err != nil || r.State != core.Failed {
		t.Errorf("the release that failed: %+v, %v", r, err)
	}
	w.notes("base.update", "1 moved, 2 stay, 3 failed (bad, broken, locked)")

	if kept, err := w.core.Bases.Kept(ctx); err != nil || fmt.Sprint(kept) != "[b1]" {
		t.Errorf("kept for a rollback: %v, %v", kept, err)
	}
	back, err := w.core.Bases.Rollback(ctx, root, nil, nil)
	if got := results(back); err != nil || got != "good:moved" || w.bases() != "bad:b1 broken:b1 good:b1 held:b1 locked:b1 stopped:b1" {
		t.Errorf("%s, %v: %s", got, err, w.bases())
	}
	if _, err := w.core.Bases.Rollback(ctx, root, nil, nil); err == nil || !strings.Contains(err.Error(), "no update of bases to go back from") {
		t.Errorf("a second rollback: %v", err)
	}
}

// notes wants an entry of an action that says this.
func (w *world) notes(action, said string) {
	w.t.Helper()
	entries, err := w.ledger.Entries(w.t.Context(), "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range entries {
		if e.Action == action && strings.Contains(e.Detail, said) {
			return
		}
	}
	w.t.Errorf("no entry of %s says %q: %+v", action, said, entries)
}

// TestUpdateOfBasesAgain: a night does not try again what has failed, and a person does. What was pushed since an
// update goes back with the app.
func TestUpdateOfBasesAgain(t *testing.T) {
	w, _ := basedWorld(t, "bad", "good")
	w.failsOn("bad", "b2")
	ctx, night := t.Context(), core.BaseWish{Night: true}
	for i, tt := range []struct {
		wish core.BaseWish
		want string
	}{{night, "bad:failed good:moved"}, {night, "bad:stays"}, {core.BaseWish{Apps: []string{"bad"}}, "bad:failed"}, {core.BaseWish{Apps: []string{"good"}}, ""}} {
		u, err := w.core.Bases.Update(ctx, root, tt.wish, nil)
		if got := results(u); err != nil || got != tt.want {
			t.Errorf("%d: %s, %v; want %s", i, got, err, tt.want)
		}
	}
	w.build = w.onBase("b2", "22.2.0")
	if reject, out := w.begin("good", core.Command{Ref: "refs/heads/main", Old: commit(2), New: commit(3)}).end(); reject != "" {
		t.Fatal(reject, out)
	}
	u, err := w.core.Bases.Rollback(ctx, root, []string{"good"}, nil)
	r, _ := w.ledger.Release(ctx, "good", 4)
	if got := results(u); err != nil || got != "good:moved" || r.Commit != commit(3) || r.Manifest.Base != "b1" {
		t.Errorf("%s, %v: %+v", got, err, r)
	}
}

// TestUpdateOfBasesInterrupted: whoever interrupts an update ends it after the app that is being moved, and nobody else
// begins one before that.
func TestUpdateOfBasesInterrupted(t *testing.T) {
	w, _ := basedWorld(t, "one", "two")
	ctx, interrupt := context.WithCancel(t.Context())
	w.driver.behave(func(m *fakeMachine) {
		if _, err := w.core.Bases.Update(t.Context(), root, core.BaseWish{}, nil); err == nil || !strings.Contains(err.Error(), "runs since") {
			t.Errorf("two at once: %v", err)
		}
		interrupt()
		healthy(m)
	})
	u, err := w.core.Bases.Update(ctx, root, core.BaseWish{}, nil)
	if got := results(u); err != nil || got != "one:moved two:waits" || w.bases() != "one:b2 two:b1" {
		t.Errorf("%s, %v: %s", got, err, w.bases())
	}
	w.driver.behave(healthy)
	w.close()
	w.open()
	if got := w.bases(); got != "one:b2 two:b1" {
		t.Errorf("what was interrupted goes on by itself: %s", got)
	}
}

// TestUpdateOfBasesResumes: gitd ends while the second of three apps boots. The next gitd moves it, and then the third.
func TestUpdateOfBasesResumes(t *testing.T) {
	w, b := basedWorld(t, "one", "three", "two")
	booting := make(chan struct{})
	w.driver.behave(func(m *fakeMachine) {
		if m.spec.App == "three" {
			close(booting)
			return // it never listens
		}
		healthy(m)
	})
	failed := make(chan error, 1)
	go func() {
		_, err := w.core.Bases.Update(context.WithoutCancel(t.Context()), root, core.BaseWish{}, nil)
		failed <- err
	}()
	<-booting
	w.core.Close()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "gitd is stopping") {
		t.Errorf("the end of gitd: %v", err)
	}
	if got := w.bases(); got != "one:b2 three:b1 two:b1" {
		t.Errorf("when gitd had ended: %s", got)
	}
	w.driver.behave(healthy)
	w.ledger.Close()
	w.openBased(b)
	w.eventually("all apps are moved", func() bool { return w.bases() == "one:b2 three:b2 two:b2" })
	w.eventually("the update has ended", func() bool {
		all, err := w.core.Bases.Updates(t.Context())
		return err == nil && len(all) == 1 && !all[0].Ended.IsZero()
	})
}

// TestScheduledUpdateOfBases: what is due at a minute runs then, and is in the audit.
func TestScheduledUpdateOfBases(t *testing.T) {
	w, _ := basedWorld(t, "one")
	ctx := t.Context()
	w.must(w.core.Bases.SetSchedule(ctx, root, "0 3 * * *", "Asia/Tokyo"))
	w.core.Bases.Tick(ctx, time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC))
	if got := w.bases(); got != "one:b1" {
		t.Errorf("at three in UTC: %s", got)
	}
	w.core.Bases.Tick(ctx, time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC))
	if got := w.bases(); got != "one:b2" {
		t.Errorf("at three in Tokyo: %s", got)
	}
	w.notes("base.schedule", "0 3 * * *, in Asia/Tokyo")
	w.must(w.core.Bases.SetSchedule(ctx, root, "", ""))
	if due, err := w.core.Bases.Due(ctx); err != nil || !due.IsZero() {
		t.Errorf("off, and due at %s, %v", due, err)
	}
}

// TestNightIsNotHeldUp: whoever updates an app again and again does not keep the scheduled update from its turn.
func TestNightIsNotHeldUp(t *testing.T) {
	w, _ := basedWorld(t, "mine", "other")
	ctx := t.Context()
	w.must(w.core.Bases.SetSchedule(ctx, root, "0 3 * * *", ""))
	night := make(chan struct{})
	w.driver.behave(func(m *fakeMachine) {
		if m.spec.App == "mine" {
			go func() {
				defer close(night)
				w.core.Bases.Tick(ctx, time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC))
			}()
		}
		healthy(m)
	})
	sam := core.Actor{Name: "sam", Grants: map[string]core.Role{"mine": core.RoleAdmin}}
	if u, err := w.core.Bases.Update(ctx, sam, core.BaseWish{Apps: []string{"mine"}}, nil); err != nil || results(u) != "mine:moved" {
		t.Fatalf("%s, %v", results(u), err)
	}
	<-night
	if got := w.bases(); got != "mine:b2 other:b2" {
		t.Error(got)
	}
}

// TestNewsAreAskedForOnce: viewers who list bases all at once cost one question.
func TestNewsAreAskedForOnce(t *testing.T) {
	w, b := basedWorld(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { w.core.Bases.News(t.Context()) })
	}
	wg.Wait()
	if n := b.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

// TestUpdateOfBasesWithVolume: an app with a volume never has two machines, and is started again on its base if it does
// not come up on the next one.
func TestUpdateOfBasesWithVolume(t *testing.T) {
	w, b := basedWorld(t, "shop")
	ctx := t.Context()
	w.must(w.core.CreateVolume(ctx, root, "shop", "data", core.MinVolume, "/data", nil))
	most := 0
	w.driver.behave(func(m *fakeMachine) {
		most = max(most, w.driver.count())
		healthy(m)
	})
	if u, err := w.core.Bases.Update(ctx, root, core.BaseWish{}, nil); err != nil || results(u) != "shop:moved" || most != 1 {
		t.Errorf("%s, %v, with %d machines", results(u), err, most)
	}
	b.next = core.BaseRef{ID: "b3", Node: "22.3.0"}
	w.failsOn("shop", "b3")
	if u, err := w.core.Bases.Update(ctx, root, core.BaseWish{}, nil); err != nil || results(u) != "shop:failed" || w.bases() != "shop:b2" {
		t.Errorf("%s, %v: %s", results(u), err, w.bases())
	}
	w.eventually("it serves as before", func() bool { return strings.HasPrefix(w.router.get(t, "shop"), "v") })
}

// TestUpdateOfBasesWhenTheDoorsClose: gitd stops, and its doors end their commands before the core knows: that was
// taken for a person who interrupts, so that the next gitd did not go on.
func TestUpdateOfBasesWhenTheDoorsClose(t *testing.T) {
	w, b := basedWorld(t, "one", "two")
	w.close()
	stopping := errors.New("gitd is stopping")
	w.openWith(func(c *engine.Config) { c.Bases, c.Stopping = b, stopping })
	ctx, end := context.WithCancelCause(t.Context())
	w.driver.behave(func(m *fakeMachine) {
		end(stopping)
		healthy(m)
	})
	if _, err := w.core.Bases.Update(ctx, root, core.BaseWish{}, nil); err == nil || !strings.Contains(err.Error(), "gitd is stopping") {
		t.Errorf("the end of gitd: %v", err)
	}
	w.driver.behave(healthy)
	w.close()
	w.openBased(b)
	w.eventually("the next gitd goes on", func() bool { return w.bases() == "one:b2 two:b2" })
}

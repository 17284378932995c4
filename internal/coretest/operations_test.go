package coretest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

var ada = core.Actor{Name: "ada", Key: "SHA256:ada"}

func (w *world) forbidBuilds() {
	w.build = func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
		return core.Manifest{}, errors.New("nothing is to be built")
	}
}

// TestRebuild: the live commit is built again with nothing that was kept, under the settings of now, and swapped to. A
// later push of another commit may use what is kept.
func TestRebuild(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	if err := w.core.CreateApp(t.Context(), ada, "empty"); err != nil {
		t.Fatal(err)
	}
	if err := w.core.Rebuild(t.Context(), ada, "empty", &out); err == nil || !strings.Contains(err.Error(), "no release yet") {
		t.Errorf("nothing to build: %v", err)
	}
	w.push(none, commit(1))
	var built []image.Source
	build := w.build
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		built = append(built, src)
		return build(ctx, src, r)
	}
	if err := w.core.Rebuild(t.Context(), ada, "shop", &out); err != nil || !strings.Contains(out.String(), "v2 is live") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
	r, err := w.ledger.Release(t.Context(), "shop", 2)
	if err != nil || r.Trigger != core.ByRebuild || r.Commit != commit(1) || r.ImageOf != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	w.push(commit(1), commit(2))
	if len(built) != 2 || !built[0].Fresh || built[0].Commit != commit(1) || built[1].Fresh {
		t.Errorf("built %+v", built)
	}
	if err := w.core.LockApp(t.Context(), ada, "shop", "audit"); err != nil {
		t.Fatal(err)
	}
	if err := w.core.Rebuild(t.Context(), ada, "shop", &out); err == nil || !strings.Contains(err.Error(), "locked by ada") {
		t.Errorf("locked: %v", err)
	}
}

// TestRollback: a new release boots the older image, the branch follows, and the next push continues from there.
func TestRollback(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	build := w.build
	w.forbidBuilds()
	var out bytes.Buffer
	if err := w.core.Rollback(t.Context(), ada, "shop", 0, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if v, answer := w.live(); v != 3 || answer != "v3" || w.pointOf("main") != commit(1) {
		t.Errorf("v%d answers %q, main is at %s", v, answer, w.pointOf("main"))
	}
	r, err := w.ledger.Release(t.Context(), "shop", 3)
	if err != nil || r.ImageOf != 1 || r.Trigger != core.ByRollback || r.Pusher != "ada" || r.Key != "SHA256:ada" || r.Commit != commit(1) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, text := range []string{"Rolling back to v1", "v3 is live at http://shop.localhost/"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("no %q in\n%s", text, out.String())
		}
	}
	// v3 has the image of v1, so ImageOf says 1.
	if err := w.core.Rollback(t.Context(), ada, "shop", 2, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.core.Rollback(t.Context(), ada, "shop", 3, nil); err != nil {
		t.Fatal(err)
	}
	if r, err := w.ledger.Release(t.Context(), "shop", 5); err != nil || r.ImageOf != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	w.build = build
	if reject, out := w.push(commit(1), commit(4)); reject != "" {
		t.Errorf("the next push: %q\n%s", reject, out)
	}
}

// TestRollbackRefuses: an impossible rollback is refused before anything is changed.
func TestRollbackRefuses(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	build := w.build
	w.forbidBuilds()
	w.push(commit(2), commit(3)) // v3 fails
	w.build = build
	if err := os.Remove(w.state.Layer(commit(1))); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int][]string{
		0: {"the image of v1 is no longer kept", "git push REMOTE back-to-v1"},
		1: {"the image of v1 is no longer kept", "000000000000"},
		2: {"v2 is live already"},
		3: {"v3 was never live: it is failed"},
		9: {"shop has no release v9", "`releases shop`"},
	} {
		err := w.core.Rollback(t.Context(), ada, "shop", version, nil)
		var rej *core.Rejection
		if !errors.As(err, &rej) {
			t.Errorf("v%d: %v", version, err)
			continue
		}
		for _, text := range want {
			if !strings.Contains(rej.Reason+rej.Hint, text) {
				t.Errorf("v%d: %q (%s), want %q", version, rej.Reason, rej.Hint, text)
			}
		}
	}
	if v, _ := w.live(); v != 2 {
		t.Errorf("v%d is live", v)
	}
	w.wants(map[int]core.State{1: core.Retired, 2: core.Live, 3: core.Failed})
	// What the hint tells to type works.
	if reject, out := w.pushRef(core.Command{Ref: "refs/tags/back-to-v1", Old: none, New: commit(1)}); reject != "" || !strings.Contains(out, "no longer kept: it is built again") {
		t.Errorf("%q\n%s", reject, out)
	}
	if err := w.core.Rollback(t.Context(), ada, "nope", 0, nil); err == nil || !strings.Contains(err.Error(), "no app") {
		t.Errorf("an unknown app: %v", err)
	}
}

// TestRollbackSkipsTheSameImage: a rollback does not go back to a release with the live image, such as that of a
// restart.
func TestRollbackSkipsTheSameImage(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	for _, trigger := range []core.Trigger{core.ByConfig, core.ByRestart} {
		if err := w.core.Redeploy(t.Context(), ada, "shop", trigger, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := w.ledger.Release(t.Context(), "shop", 4); err != nil || r.ImageOf != 2 || r.Trigger != core.ByRestart {
		t.Errorf("%+v, %v", r, err)
	}
	if err := w.core.Rollback(t.Context(), ada, "shop", 0, nil); err != nil {
		t.Fatal(err)
	}
	if r, err := w.ledger.Release(t.Context(), "shop", 5); err != nil || r.ImageOf != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestStopAndStart: a stopped app stays stopped when gitd starts again, until somebody starts it or deploys.
func TestStopAndStart(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	if err := w.core.StopApp(t.Context(), ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.open()
	if n := w.driver.count(); n != 0 {
		t.Errorf("%d machines run", n)
	}
	if _, down := w.router.target("shop"); down != "it was stopped" {
		t.Errorf("the front door says %q", down)
	}
	if s, err := w.core.Status(t.Context(), "shop"); err != nil || s.State != fleet.Stopped || s.Release != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := w.core.StopApp(t.Context(), ada, "shop", nil); err == nil || !strings.Contains(err.Error(), "stopped already") {
		t.Errorf("stopped again: %v", err)
	}
	if err := w.core.Redeploy(t.Context(), ada, "shop", core.ByConfig, nil); err == nil || !strings.Contains(err.Error(), "shop is stopped") {
		t.Errorf("a config release of a stopped app: %v", err)
	}
	var out bytes.Buffer
	if err := w.core.StartApp(t.Context(), ada, "shop", &out); err != nil || !strings.Contains(out.String(), "v1 is live") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if s, err := w.core.Status(t.Context(), "shop"); err != nil || s.State != fleet.Running || s.Machine == "" || s.Addr == "" {
		t.Errorf("%+v, %v", s, err)
	}
	if err := w.core.StopApp(t.Context(), ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
}

// TestTagStartsAStoppedApp: the tag of the live commit changes nothing for an app that runs, but it starts a stopped
// app.
func TestTagStartsAStoppedApp(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	if err := w.core.StopApp(t.Context(), ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	if reject, out := w.pushRef(core.Command{Ref: "refs/tags/v1", Old: none, New: commit(1)}); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
}

func TestLock(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	if err := w.core.LockApp(t.Context(), ada, "shop", "the sale\nis on"); err != nil {
		t.Fatal(err)
	}
	w.close()
	w.open()
	reject, out := w.push(commit(1), commit(2))
	if !strings.HasPrefix(reject, "shop is locked by ada since 20") || !strings.HasSuffix(reject, ": the sale is on") || !strings.Contains(out, "unlock shop") {
		t.Errorf("%q\n%s", reject, out)
	}
	for name, refused := range map[string]error{
		"rollback": w.core.Rollback(t.Context(), ada, "shop", 0, nil),
		"config":   w.core.Redeploy(t.Context(), ada, "shop", core.ByConfig, nil),
		"destroy":  w.core.DestroyApp(t.Context(), ada, "shop", nil),
		"rename":   w.core.RenameApp(t.Context(), ada, "shop", "store"),
		"lock":     w.core.LockApp(t.Context(), ada, "shop", "mine"),
	} {
		if refused == nil || !strings.Contains(refused.Error(), "locked by ada") {
			t.Errorf("%s of a locked app: %v", name, refused)
		}
	}
	if err := w.core.Redeploy(t.Context(), ada, "shop", core.ByRestart, nil); err != nil {
		t.Errorf("a restart of a locked app: %v", err)
	}
	if err := w.core.UnlockApp(t.Context(), ada, "shop"); err != nil {
		t.Fatal(err)
	}
	if reject, _ := w.push(commit(1), commit(2)); reject != "" {
		t.Errorf("after the unlock: %q", reject)
	}
}

func TestCreateAndDestroy(t *testing.T) {
	w := newWorld(t)
	if err := w.core.CreateApp(t.Context(), ada, "shop"); err != nil {
		t.Fatal(err)
	}
	if err := w.core.CreateApp(t.Context(), ada, "shop"); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("created again: %v", err)
	}
	if err := w.core.CreateApp(t.Context(), ada, "../x"); !errors.Is(err, core.ErrBadName) {
		t.Errorf("a bad name: %v", err)
	}
	w.push(none, commit(1))
	g := w.holdBuild(commit(2))
	p := w.beginMain(commit(1), commit(2))
	receives(t, "a build runs", g.reached)
	if err := w.core.DestroyApp(t.Context(), ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	if reject, _ := p.end(); !strings.Contains(reject, "superseded by its destruction by ada") {
		t.Errorf("the push: %q", reject)
	}
	if _, err := w.ledger.App(t.Context(), "shop"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the app: %v", err)
	}
	if n := w.driver.count(); n != 0 {
		t.Errorf("%d machines run", n)
	}
	if reject, out := w.push(none, commit(3)); reject != "" {
		t.Errorf("a new app of that name: %q\n%s", reject, out)
	}
}

// TestRename: the app goes on under its new name, in this process and in the next.
func TestRename(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.begin("blog", core.Command{Ref: "refs/heads/main", Old: none, New: commit(9)}).end()
	if err := w.core.RenameApp(t.Context(), ada, "shop", "blog"); err == nil || !strings.Contains(err.Error(), `an app "blog" already`) {
		t.Errorf("a taken name: %v", err)
	}
	if err := w.core.RenameApp(t.Context(), ada, "shop", "store"); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if answer := w.router.get(t, "store"); answer != "v1" {
			t.Errorf("store answers %q", answer)
		}
		if addr, _ := w.router.target("shop"); addr != "" {
			t.Error("the old name is served")
		}
		if s, err := w.core.Status(t.Context(), "store"); err != nil || s.State != fleet.Running {
			t.Errorf("%+v, %v", s, err)
		}
	}
	check()
	w.close()
	w.open()
	check()
	if n := len(w.driver.specs); n != 2 {
		t.Errorf("%d machines were booted, want 2: the renamed one is adopted", n)
	}
	p := w.begin("store", core.Command{Ref: "refs/heads/main", Old: commit(1), New: commit(2)})
	if reject, out := p.end(); reject != "" || w.router.get(t, "store") != "v2" {
		t.Errorf("%s\n%s", reject, out)
	}
	w.eventually("the old machine is gone", func() bool { return w.driver.count() == 2 })
}

// TestCloseRefuses: a push that comes while gitd is stopping is told so.
func TestCloseRefuses(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.core.Close()
	if reject, _ := w.beginMain(commit(1), commit(2)).end(); !strings.Contains(reject, "gitd is stopping") {
		t.Errorf("rejected %q", reject)
	}
	if err := w.core.Rollback(t.Context(), ada, "shop", 0, nil); err == nil || !strings.Contains(err.Error(), "gitd is stopping") {
		t.Errorf("%v", err)
	}
}

// TestEndInABuild: gitd is told to stop while it builds. The build ends, and the release fails with that reason.
func TestEndInABuild(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	g := w.holdBuild(commit(2))
	p := w.beginMain(commit(1), commit(2))
	receives(t, "the build begins", g.reached)
	w.core.Close()
	if reject, _ := p.end(); !strings.Contains(reject, "gitd is stopping") {
		t.Errorf("rejected %q", reject)
	}
	w.wants(map[int]core.State{1: core.Live, 2: core.Failed})
}

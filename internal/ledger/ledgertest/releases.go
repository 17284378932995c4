package ledgertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func releases(t *testing.T, s Store) {
	ctx := t.Context()
	for _, app := range []string{"shop", "blog"} {
		got(s.CreateApp(ctx, app))(t)
	}
	for want := 1; want <= 3; want++ {
		if r := got(s.AddRelease(ctx, Draft("shop", Commit("a"))))(t); r.Version != want {
			t.Errorf("version %d, want %d", r.Version, want)
		}
	}
	if r := got(s.AddRelease(ctx, Draft("blog", Commit("b"))))(t); r.Version != 1 {
		t.Errorf("another app starts at version %d", r.Version)
	}
	for limit, want := range map[int][]int{0: {3, 2, 1}, 2: {3, 2}, 9: {3, 2, 1}} {
		var have []int
		for _, r := range got(s.Releases(ctx, "shop", limit))(t) {
			have = append(have, r.Version)
		}
		same(t, have, want)
	}
}

// wholeRelease: every field survives, hostile text byte for byte.
func wholeRelease(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	sha256 := strings.Repeat("c", 64)
	r := core.Release{
		App: "shop", Commit: sha256, Subject: "'; DROP TABLE apps; --\x00\"ü%s", Pusher: "alice@laptop", Key: "SHA256:abc/+",
		Trigger: core.ByTag, ImageOf: 7, State: core.Built, Reason: "line\nbreak",
		Manifest: core.Manifest{
			Base: "b1", Node: "22.23.1", Start: []string{"node", "a b.js", "$PORT", ""},
			Run: []core.StartStep{{
				Name: "A=1 node $B", Set: []core.Assignment{{Name: "E"}}, Own: []core.Assignment{{Name: "A", Value: core.Plain("1")}},
				Words: []core.Word{core.Plain("node"), {{Var: "B", Op: ":-", Else: core.Plain("")}}}, Dir: "x", Next: core.Next{OK: 1, Fail: 2},
			}},
			Deps: core.Layer{Digest: sha256, Size: 1 << 40}, App: core.Layer{Digest: sha256, Size: 1},
			Env:       map[string]string{"A": "1=2", "B": ""},
			Health:    core.Health{Path: "/h?x=<y>", Timeout: 3 * time.Second, Interval: time.Second, Attempts: 3, Probe: 1, Delay: 2},
			Resources: core.Resources{MemoryMiB: 256, CPUs: 2},
		},
		Steps:    []core.Step{{Name: "build", Took: 1234567891}, {Name: "boot", Took: 1}},
		Created:  instant(time.Date(2026, 1, 2, 3, 4, 5, 123456789, time.UTC)),
		Finished: instant(time.Date(2026, 1, 2, 3, 4, 6, 1, time.FixedZone("X", 7200))),
	}
	r.Version = got(s.AddRelease(ctx, r))(t).Version
	same(t, got(s.Release(ctx, "shop", 1))(t), r)
	same(t, got(s.Releases(ctx, "shop", 1))(t), []core.Release{r})
}

func save(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	r := got(s.AddRelease(ctx, Draft("shop", Commit("a"))))(t)
	other := got(s.AddRelease(ctx, Draft("shop", Commit("b"))))(t)
	r.State, r.Reason, r.Finished = core.Failed, "npm ci exited 1", instant(time.Now())
	r.Manifest.Base, r.Steps = "b1", []core.Step{{Name: "build", Took: 5}}
	r.Created = instant(r.Created)
	must(t, s.SaveRelease(ctx, r))
	same(t, got(s.Release(ctx, "shop", r.Version))(t), r)
	if o := got(s.Release(ctx, "shop", other.Version))(t); o.State != core.Building || o.Reason != "" {
		t.Errorf("the other release changed: %+v", o)
	}
}

// onlyPromotion: a late "failed" must not take down what is live, and nothing
// becomes live but by Promote.
func onlyPromotion(t *testing.T, s Store) {
	ctx := t.Context()
	r := live(t, s, "shop", Commit("a"))
	r.State = core.Failed
	if err := s.SaveRelease(ctx, r); err == nil {
		t.Error("SaveRelease took a live release down")
	}
	next := got(s.AddRelease(ctx, Draft("shop", Commit("b"))))(t)
	next.State = core.Live
	if err := s.SaveRelease(ctx, next); err == nil {
		t.Error("SaveRelease made a release live")
	}
	if _, err := s.AddRelease(ctx, next); err == nil {
		t.Error("AddRelease made a release live")
	}
	oneLive(t, s, "shop", r.Version)
	r.State, r.Steps = core.Live, []core.Step{{Name: "swap", Took: 2}}
	must(t, s.SaveRelease(ctx, r))
	same(t, got(s.Release(ctx, "shop", r.Version))(t).Steps, r.Steps)
}

func promote(t *testing.T, s Store) {
	ctx := t.Context()
	other := live(t, s, "blog", Commit("f"))
	first := live(t, s, "shop", Commit("a"))
	oneLive(t, s, "shop", first.Version)
	second := live(t, s, "shop", Commit("b"))
	oneLive(t, s, "shop", second.Version)
	have := got(s.Release(ctx, "shop", first.Version))(t)
	if have.State != core.Draining || !have.Finished.Equal(first.Finished) {
		t.Errorf("the one before is %+v, want it draining and else unchanged", have)
	}
	have = got(s.Release(ctx, "shop", second.Version))(t)
	if !have.Finished.Equal(second.Finished) || len(have.Steps) != 1 {
		t.Errorf("promoted: %+v, want its end and steps", have)
	}
	must(t, s.Promote(ctx, second))
	oneLive(t, s, "shop", second.Version)
	oneLive(t, s, "blog", other.Version)
}

func failedPromotion(t *testing.T, s Store) {
	r := live(t, s, "shop", Commit("a"))
	err := s.Promote(t.Context(), core.Release{App: "shop", Version: 99, Finished: time.Now()})
	if !errors.Is(err, core.ErrNotFound) {
		t.Errorf("promote v99: %v, want ErrNotFound", err)
	}
	oneLive(t, s, "shop", r.Version)
}

func image(t *testing.T, s Store) {
	ctx := t.Context()
	a, b := Commit("a"), Commit("b")
	live(t, s, "shop", a) // v1
	live(t, s, "shop", b) // v2
	live(t, s, "shop", a) // v3
	failed := got(s.AddRelease(ctx, Draft("shop", a)))(t)
	failed.State = core.Failed
	must(t, s.SaveRelease(ctx, failed)) // v4
	got(s.AddRelease(ctx, Draft("shop", a)))(t)
	live(t, s, "blog", Commit("c"))
	for commit, want := range map[string]int{a: 3, b: 2} {
		if r := got(s.Image(ctx, "shop", commit))(t); r.Version != want {
			t.Errorf("image of %.7s is v%d, want v%d", commit, r.Version, want)
		}
	}
	if _, err := s.Image(ctx, "shop", Commit("c")); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("image of another app's commit: %v, want ErrNotFound", err)
	}
}

// images: of all apps, whatever their state, but not those that failed or
// have none yet.
func images(t *testing.T, s Store) {
	ctx := t.Context()
	built := func(app, commit string) core.Release {
		got(s.CreateApp(ctx, app))(t)
		r := got(s.AddRelease(ctx, Draft(app, Commit(commit))))(t)
		r.State, r.Manifest = core.Built, core.Manifest{Base: "b1", App: core.Layer{Digest: commit, Size: 1}}
		must(t, s.SaveRelease(ctx, r))
		return r
	}
	built("shop", "a")
	failed := built("shop", "b")
	failed.State = core.Failed
	must(t, s.SaveRelease(ctx, failed))
	built("shop", "c")
	got(s.AddRelease(ctx, Draft("shop", Commit("d"))))(t)
	built("blog", "e")
	var have []string
	for _, r := range got(s.Images(ctx))(t) {
		have = append(have, r.App+" "+r.Manifest.App.Digest)
	}
	same(t, have, []string{"shop c", "shop a", "blog e"})
}

// forgotten: what a collection has removed is not looked at by the next one. A release that was pinned meanwhile, or
// that is live, stays; a pin brings one back whose files another release has kept.
func forgotten(t *testing.T, s Store) {
	ctx := t.Context()
	var all []core.Release
	for _, commit := range []string{"a", "b", "c"} {
		live(t, s, "shop", Commit(commit))
	}
	for _, r := range got(s.Releases(ctx, "shop", 0))(t) {
		if r.State == core.Draining {
			r.State = core.Retired
		}
		r.Manifest = core.Manifest{Base: "b1", App: core.Layer{Digest: r.Commit, Size: 1}}
		must(t, s.SaveRelease(ctx, r))
		all = append(all, r)
	}
	versions := func() (have []int) {
		for _, r := range got(s.Images(ctx))(t) {
			have = append(have, r.Version)
		}
		return have
	}
	same(t, versions(), []int{3, 2, 1})
	must(t, s.PinRelease(ctx, "shop", 2, true))
	must(t, s.ForgetImages(ctx, all))
	same(t, versions(), []int{3, 2})
	must(t, s.PinRelease(ctx, "shop", 1, true))
	same(t, versions(), []int{3, 2, 1})
}

func pin(t *testing.T, s Store) {
	ctx := t.Context()
	r := live(t, s, "shop", Commit("a"))
	other := live(t, s, "shop", Commit("b"))
	must(t, s.PinRelease(ctx, "shop", r.Version, true))
	must(t, s.PinRelease(ctx, "shop", r.Version, true))
	stale := got(s.Release(ctx, "shop", r.Version))(t)
	if !stale.Pinned || got(s.Release(ctx, "shop", other.Version))(t).Pinned {
		t.Errorf("after the pin: %+v", got(s.Releases(ctx, "shop", 0))(t))
	}
	// Who read a release before does not undo what was pinned since.
	stale.Pinned, stale.Reason = false, "because"
	must(t, s.SaveRelease(ctx, stale))
	if r := got(s.Release(ctx, "shop", r.Version))(t); !r.Pinned || r.Reason != "because" {
		t.Errorf("saved: %+v", r)
	}
	must(t, s.PinRelease(ctx, "shop", r.Version, false))
	if got(s.Release(ctx, "shop", r.Version))(t).Pinned {
		t.Error("still pinned")
	}
}

func unfinished(t *testing.T, s Store) {
	ctx := t.Context()
	live(t, s, "shop", Commit("a"))
	building := got(s.AddRelease(ctx, Draft("shop", Commit("b"))))(t)
	booting := walk(t, s, got(s.AddRelease(ctx, Draft("shop", Commit("c"))))(t), core.Booting)
	failed := got(s.AddRelease(ctx, Draft("shop", Commit("d"))))(t)
	failed.State = core.Failed
	must(t, s.SaveRelease(ctx, failed))
	list := got(s.Unfinished(ctx))(t)
	if len(list) != 2 || list[0].Version != building.Version || list[1].Version != booting.Version {
		t.Errorf("unfinished: %+v", list)
	}
}

// live makes a release of app, which is made too, and promotes it.
func live(t *testing.T, s Store, app, commit string) core.Release {
	t.Helper()
	got(s.CreateApp(t.Context(), app))(t)
	r := walk(t, s, got(s.AddRelease(t.Context(), Draft(app, commit)))(t), core.Healthy)
	r.State, r.Finished = core.Live, time.Now()
	r.Steps = []core.Step{{Name: "build", Took: time.Second}}
	must(t, s.Promote(t.Context(), r))
	return r
}

// walk takes a release that is building to a state, step by step.
func walk(t *testing.T, s Store, r core.Release, to core.State) core.Release {
	t.Helper()
	for _, next := range []core.State{core.Built, core.Booting, core.Healthy} {
		if r.State == to {
			return r
		}
		r.State = next
		must(t, s.SaveRelease(t.Context(), r))
	}
	return r
}

// oneLive: the app and its releases agree on what is live.
func oneLive(t *testing.T, s Store, app string, want int) {
	t.Helper()
	if a := got(s.App(t.Context(), app))(t); a.Live != want {
		t.Errorf("%s: live is v%d, want v%d", app, a.Live, want)
	}
	for _, r := range got(s.Releases(t.Context(), app, 0))(t) {
		if (r.State == core.Live) != (r.Version == want) {
			t.Errorf("%s v%d is %s, v%d should be the live one", app, r.Version, r.State, want)
		}
	}
}

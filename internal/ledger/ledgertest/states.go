package ledgertest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// all are the states of a release.
func all() []core.State {
	return []core.State{core.Building, core.Built, core.Booting, core.Healthy,
		core.Live, core.Draining, core.Retired, core.Failed}
}

// steps: of all pairs of states, the ledger allows those of the state machine
// and no other, by whichever method. A step that is refused changes nothing.
func steps(t *testing.T, s Store) {
	for _, from := range all() {
		for _, to := range all() {
			r := release(t, s, from)
			next := r
			next.State = to
			err := s.SaveRelease(t.Context(), next)
			promoted := to == core.Live || from == core.Live
			if want := from == to || from.CanBecome(to) && !promoted; (err == nil) != want {
				t.Errorf("SaveRelease from %s to %s: %v", from, to, err)
			} else if err != nil && got(s.Release(t.Context(), r.App, r.Version))(t).State != from {
				t.Errorf("the refused step from %s to %s was made", from, to)
			}
		}
		r := release(t, s, from)
		if err := s.Promote(t.Context(), r); (err == nil) != (from == core.Healthy || from == core.Live) {
			t.Errorf("Promote from %s: %v", from, err)
		}
		draft := Draft("shop", Commit("a"))
		draft.State = from
		if _, err := s.AddRelease(t.Context(), draft); (err == nil) != from.Starts() {
			t.Errorf("AddRelease in %s: %v", from, err)
		}
	}
}

// release makes a release in a state, along the legal steps.
func release(t *testing.T, s Store, state core.State) core.Release {
	t.Helper()
	r := live(t, s, "shop", Commit("a"))
	switch state {
	case core.Live:
	case core.Draining, core.Retired:
		live(t, s, "shop", Commit("b"))
		r = got(s.Release(t.Context(), "shop", r.Version))(t)
		if state == core.Retired {
			r.State = state
			must(t, s.SaveRelease(t.Context(), r))
		}
	case core.Failed:
		r = got(s.AddRelease(t.Context(), Draft("shop", Commit("c"))))(t)
		r.State = state
		must(t, s.SaveRelease(t.Context(), r))
	default:
		r = walk(t, s, got(s.AddRelease(t.Context(), Draft("shop", Commit("c"))))(t), state)
	}
	return r
}

// history: each step is in the audit, by whom, in the order they were made.
func history(t *testing.T, s Store) {
	ctx := t.Context()
	first := live(t, s, "shop", Commit("a"))
	live(t, s, "shop", Commit("b"))
	first = got(s.Release(ctx, "shop", first.Version))(t)
	first.State = core.Retired
	must(t, s.SaveRelease(ctx, first))
	must(t, s.SaveRelease(ctx, first)) // no step
	failed := got(s.AddRelease(ctx, Draft("shop", Commit("c"))))(t)
	failed.State, failed.Reason = core.Failed, "npm ci exited 1"
	must(t, s.SaveRelease(ctx, failed))
	var have []string
	for _, e := range got(s.Entries(ctx, "shop", 0))(t) {
		have = append(have, e.Actor+" "+e.Action+" "+e.Detail)
	}
	slices.Reverse(have)
	same(t, have, []string{
		"alice release.building v1 aaaaaaa by push",
		"alice release.built v1 aaaaaaa", "alice release.booting v1 aaaaaaa", "alice release.healthy v1 aaaaaaa",
		"alice release.live v1 aaaaaaa",
		"alice release.building v2 bbbbbbb by push",
		"alice release.built v2 bbbbbbb", "alice release.booting v2 bbbbbbb", "alice release.healthy v2 bbbbbbb",
		"gitd release.draining v1 aaaaaaa", "alice release.live v2 bbbbbbb",
		"gitd release.retired v1 aaaaaaa",
		"alice release.building v3 ccccccc by push", "alice release.failed v3 ccccccc: npm ci exited 1",
	})
}

// changeApp: what is changed is stored, and a change that is refused is not.
func changeApp(t *testing.T, s Store) {
	ctx := t.Context()
	created := got(s.CreateApp(ctx, "shop"))(t)
	want := created
	want.Branch, want.Stopped, want.FormerName, want.FoundMiB, want.Dir = "main", true, "store", 256, "packages/api"
	want.Scale = core.Scale{core.Web: 2, "worker": 0}
	want.Lock = core.Lock{By: "ada", Reason: "the sale", Since: instant(time.Now())}
	must(t, s.ChangeApp(ctx, "shop", func(a *core.App) error { *a = want; return nil }))
	same(t, got(s.App(ctx, "shop"))(t), want)
	no := errors.New("no")
	err := s.ChangeApp(ctx, "shop", func(a *core.App) error { a.Lock = core.Lock{}; return no })
	if !errors.Is(err, no) {
		t.Errorf("a refused change: %v", err)
	}
	same(t, got(s.App(ctx, "shop"))(t), want)
	r := walk(t, s, got(s.AddRelease(ctx, Draft("shop", Commit("a"))))(t), core.Healthy)
	must(t, s.Promote(ctx, r))
	if a := got(s.App(ctx, "shop"))(t); a.Stopped || !a.Lock.Held() {
		t.Errorf("after a promotion: %+v, want it started and still locked", a)
	}
}

// rename: all that belongs to an app follows its name, but the audit.
func rename(t *testing.T, s Store) {
	ctx := t.Context()
	r := live(t, s, "shop", Commit("a"))
	live(t, s, "blog", Commit("b"))
	must(t, s.SaveMachine(ctx, core.Machine{ID: "shop-v1-aa", App: "shop", Release: r.Version}))
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"A": "1"}}))
	must(t, s.AddDomain(ctx, "shop", "example.org"))
	if err := s.RenameApp(ctx, "shop", "blog"); !errors.Is(err, core.ErrTaken) {
		t.Errorf("rename to a taken name: %v", err)
	}
	if err := s.RenameApp(ctx, "shop", "../x"); !errors.Is(err, core.ErrBadName) {
		t.Errorf("rename to a bad name: %v", err)
	}
	// Rights for the new name, from before there was such an app: they opened the one that was renamed.
	foreign := key("mallory", "SHA256:mmm")
	foreign.Limit = core.Limit{App: "store", Role: core.RoleView}
	must(t, s.AddKey(ctx, foreign, false, func(people.User) core.Entry { return core.Entry{Time: time.Now(), Actor: "host", Action: "key.add"} }))
	invited := invite("kim", "code")
	invited.App, invited.Role = "store", core.RoleView
	must(t, s.Invite(ctx, invited, core.Entry{Time: time.Now(), Actor: "host", Action: "user.invite"}))
	must(t, s.RenameApp(ctx, "shop", "store"))
	if _, err := s.Key(ctx, "SHA256:mmm"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a deploy key for the name opens the app: %v", err)
	}
	if open := got(s.Invitations(ctx))(t); len(open) != 0 {
		t.Errorf("an invitation for the name opens the app: %+v", open)
	}
	a := got(s.App(ctx, "store"))(t)
	if a.Live != r.Version || a.FormerName != "shop" {
		t.Errorf("renamed: %+v", a)
	}
	if m := got(s.Machines(ctx))(t); len(m) != 1 || m[0].App != "store" {
		t.Errorf("machines: %+v", m)
	}
	same(t, got(s.Vars(ctx, "store"))(t), map[string]string{"A": "1"})
	same(t, got(s.Domains(ctx, "store"))(t), []core.Domain{{App: "store", Host: "example.org"}})
	if len(got(s.Entries(ctx, "shop", 0))(t)) == 0 {
		t.Error("the audit of the old name is gone")
	}
}

// remove: nothing of a deleted app is left but its audit, and its name is
// free.
func remove(t *testing.T, s Store) {
	ctx := t.Context()
	r := live(t, s, "shop", Commit("a"))
	live(t, s, "blog", Commit("b"))
	must(t, s.SaveMachine(ctx, core.Machine{ID: "shop-v1-aa", App: "shop", Release: r.Version}))
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"A": "1"}}))
	must(t, s.DeleteApp(ctx, "shop"))
	if _, err := s.App(ctx, "shop"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("deleted app: %v", err)
	}
	if m := got(s.Machines(ctx))(t); len(m) != 0 {
		t.Errorf("machines: %+v", m)
	}
	if len(got(s.Entries(ctx, "shop", 0))(t)) == 0 {
		t.Error("the audit is gone")
	}
	if again := live(t, s, "shop", Commit("a")); again.Version != 1 {
		t.Errorf("a new app of that name starts at v%d", again.Version)
	}
	same(t, got(s.Vars(ctx, "shop"))(t), map[string]string{})
	if lives := got(s.Lives(ctx))(t); len(lives) != 2 || lives[0].App != "blog" || lives[1].App != "shop" {
		t.Errorf("live releases: %+v", lives)
	}
}

// removeBare: whatever somebody has set for an app, or deployed to it, keeps it. A release that failed does not.
func removeBare(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AddKey(ctx, key("bob", "SHA256:bob"), false, ofOwner))
	for app, set := range map[string]func(app string) error{
		"live":      func(app string) error { live(t, s, app, Commit("a")); return nil },
		"deploying": func(app string) error { _, err := s.AddRelease(ctx, Draft(app, Commit("a"))); return err },
		"config":    func(app string) error { return s.SetVars(ctx, app, core.VarChange{Set: map[string]string{"A": "1"}}) },
		"resources": func(app string) error { return s.SetResources(ctx, app, core.Resources{CPUs: 1}) },
		"network":   func(app string) error { return s.ChangeNetwork(ctx, app, slower) },
		"rules":     func(app string) error { return s.ChangeRules(ctx, app, fewer) },
		"folder": func(app string) error {
			return s.ChangeApp(ctx, app, func(a *core.App) error { a.Dir = "api"; return nil })
		},
		"domain": func(app string) error { return s.AddDomain(ctx, app, "example.org") },
		"role": func(app string) error {
			return s.Grant(ctx, people.Grant{User: "bob", App: app, Role: core.RoleView}, entry)
		},
		"volume": func(app string) error {
			return s.AddVolume(ctx, core.Volume{ID: "v", App: app, Name: "data", Mount: "/data", Size: 1 << 30, Created: instant(time.Now())})
		},
		"deploykey": func(app string) error {
			k := key("bob", "SHA256:deploy")
			k.Limit = core.Limit{App: app, Role: core.RoleDeploy}
			return s.AddKey(ctx, k, false, ofOwner)
		},
		"invitation": func(app string) error {
			i := invite("sam", "code")
			i.App, i.Role = app, core.RoleView
			return s.Invite(ctx, i, entry)
		},
		"scale": func(app string) error {
			return s.ChangeApp(ctx, app, func(a *core.App) error { a.Scale = core.Scale{"seed": 0}; return nil })
		},
		"lock": func(app string) error {
			return s.ChangeApp(ctx, app, func(a *core.App) error { a.Lock = core.Lock{By: "bob", Since: time.Now()}; return nil })
		},
	} {
		got(s.CreateApp(ctx, app))(t)
		must(t, set(app))
		if got(s.DeleteBareApp(ctx, app))(t) {
			t.Errorf("%s: the app is deleted", app)
		}
		got(s.App(ctx, app))(t)
	}
	got(s.CreateApp(ctx, "shop"))(t)
	r := got(s.AddRelease(ctx, Draft("shop", Commit("a"))))(t)
	r.State = core.Failed
	must(t, s.SaveRelease(ctx, r))
	if !got(s.DeleteBareApp(ctx, "shop"))(t) {
		t.Error("an app with nothing but a release that failed is kept")
	}
	if got(s.DeleteBareApp(ctx, "shop"))(t) {
		t.Error("an app that is gone is deleted again")
	}
}

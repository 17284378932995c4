package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

func apps(t *testing.T, s Store) {
	ctx := t.Context()
	before := time.Now()
	shop := got(s.CreateApp(ctx, "shop"))(t)
	if shop.Name != "shop" || shop.Branch != "" || shop.Live != 0 {
		t.Errorf("new app: %+v", shop)
	}
	if shop.Created.Before(before.Add(-time.Second)) || shop.Created.After(time.Now().Add(time.Second)) {
		t.Errorf("created at %s, it is %s", shop.Created, before)
	}
	must(t, s.ChangeApp(ctx, "shop", func(a *core.App) error { a.Branch = "master"; return nil }))
	again := got(s.CreateApp(ctx, "shop"))(t)
	if !again.Created.Equal(shop.Created) || again.Branch != "master" {
		t.Errorf("created again: %+v, want it as it was", again)
	}
	got(s.CreateApp(ctx, "blog"))(t)
	list := got(s.Apps(ctx))(t)
	if len(list) != 2 || list[0].Name != "blog" || list[1].Name != "shop" {
		t.Errorf("apps are not sorted by name: %+v", list)
	}
	same(t, got(s.App(ctx, "shop"))(t), again)
}

func badNames(t *testing.T, s Store) {
	for _, name := range []string{"", "Shop", "../etc", "a b", "a\x00b", "-a", "a-", "1a", "ä"} {
		if _, err := s.CreateApp(t.Context(), name); !errors.Is(err, core.ErrBadName) {
			t.Errorf("CreateApp(%q) = %v, want ErrBadName", name, err)
		}
	}
	if list := got(s.Apps(t.Context()))(t); len(list) != 0 {
		t.Errorf("bad names left %+v", list)
	}
}

// missing: every look-up of what is not there says so, and names it.
func missing(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	calls := map[string]func() error{
		"App":                    func() error { _, err := s.App(ctx, "nope"); return err },
		"ChangeApp":              func() error { return s.ChangeApp(ctx, "nope", func(*core.App) error { return nil }) },
		"RenameApp":              func() error { return s.RenameApp(ctx, "nope", "other") },
		"DeleteApp":              func() error { return s.DeleteApp(ctx, "nope") },
		"AddRelease":             func() error { _, err := s.AddRelease(ctx, Draft("nope", Commit("a"))); return err },
		"SaveRelease":            func() error { return s.SaveRelease(ctx, core.Release{App: "shop", Version: 7}) },
		"Promote":                func() error { return s.Promote(ctx, core.Release{App: "shop", Version: 7}) },
		"Release":                func() error { _, err := s.Release(ctx, "shop", 7); return err },
		"PinRelease":             func() error { return s.PinRelease(ctx, "shop", 7, true) },
		"Release of unknown app": func() error { _, err := s.Release(ctx, "nope", 1); return err },
		"Image":                  func() error { _, err := s.Image(ctx, "shop", Commit("a")); return err },
		"SaveMachine":            func() error { return s.SaveMachine(ctx, core.Machine{ID: "m", App: "shop", Release: 7}) },
		"Vars":                   func() error { _, err := s.Vars(ctx, "nope"); return err },
		"BuildVars":              func() error { _, err := s.BuildVars(ctx, "nope"); return err },
		"SetVars":                func() error { return s.SetVars(ctx, "nope", core.VarChange{Set: map[string]string{"A": "1"}}) },
		"Resources":              func() error { _, err := s.Resources(ctx, "nope"); return err },
		"SetResources":           func() error { return s.SetResources(ctx, "nope", core.Resources{CPUs: 1}) },
		"Network":                func() error { _, err := s.Network(ctx, "nope"); return err },
		"Rules":                  func() error { _, err := s.Rules(ctx, "nope"); return err },
		"ChangeRules":            func() error { return s.ChangeRules(ctx, "nope", fewer) },
		"ChangeNetwork":          func() error { return s.ChangeNetwork(ctx, "nope", slower) },
		"AddDomain":              func() error { return s.AddDomain(ctx, "nope", "example.org") },
		"RemoveDomain":           func() error { return s.RemoveDomain(ctx, "shop", "example.org") },
		"KeyUsed":                func() error { _, err := s.KeyUsed(ctx, "SHA256:nope", ""); return err },
		"Key":                    func() error { _, err := s.Key(ctx, "SHA256:nope"); return err },
		"RemoveKey":              func() error { return s.RemoveKey(ctx, "SHA256:nope", entry) },
		"User":                   func() error { _, err := s.User(ctx, "nope"); return err },
		"SetAdmin":               func() error { return s.SetAdmin(ctx, "nope", true, entry) },
		"RenameUser":             func() error { return s.RenameUser(ctx, "nope", "other", entry) },
		"RemoveUser":             func() error { return s.RemoveUser(ctx, "nope", entry) },
		"Grant":                  func() error { return s.Grant(ctx, people.Grant{User: "nope", App: "shop", Role: core.RoleView}, entry) },
		"Revoke":                 func() error { return s.Revoke(ctx, "nope", "shop", entry) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", name, err)
		}
	}
	if list := got(s.Releases(ctx, "nope", 0))(t); len(list) != 0 {
		t.Errorf("an unknown app has releases: %+v", list)
	}
	must(t, s.DeleteMachine(ctx, "nope"))
}

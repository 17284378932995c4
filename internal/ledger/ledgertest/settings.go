package ledgertest

import (
	"errors"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func vars(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	got(s.CreateApp(ctx, "blog"))(t)
	same(t, got(s.Vars(ctx, "shop"))(t), map[string]string{})

	pem := "-----BEGIN KEY-----\nMIIB=\r\n\tä\n-----END KEY-----\n"
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"KEY": pem, "EMPTY": "", "A": "1"}}))
	must(t, s.SetVars(ctx, "blog", core.VarChange{Set: map[string]string{"A": "blog's"}}))
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"A": "2", "B": "x"}, Unset: []string{"EMPTY", "NEVER_SET"}}))
	same(t, got(s.Vars(ctx, "shop"))(t), map[string]string{"KEY": pem, "A": "2", "B": "x"})
	same(t, got(s.Vars(ctx, "blog"))(t), map[string]string{"A": "blog's"})

	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"B": "set and unset: set"}, Unset: []string{"B", "KEY"}}))
	same(t, got(s.Vars(ctx, "shop"))(t), map[string]string{"A": "2", "B": "set and unset: set"})
}

// buildMarks: what builds see is a part of the config. A mark stays when the value changes, and goes with the variable.
func buildMarks(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	seen := func(want map[string]string) {
		t.Helper()
		same(t, got(s.BuildVars(ctx, "shop"))(t), want)
	}
	seen(map[string]string{})
	must(t, s.SetVars(ctx, "shop", core.VarChange{
		Set: map[string]string{"TOKEN": "1", "URL": "u", "A": "a"}, Build: map[string]bool{"TOKEN": true, "URL": true, "NEVER_SET": true},
	}))
	seen(map[string]string{"TOKEN": "1", "URL": "u"})
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"TOKEN": "2", "A": "b"}}))
	seen(map[string]string{"TOKEN": "2", "URL": "u"})
	must(t, s.SetVars(ctx, "shop", core.VarChange{Build: map[string]bool{"URL": false, "A": true}}))
	seen(map[string]string{"TOKEN": "2", "A": "b"})
	must(t, s.SetVars(ctx, "shop", core.VarChange{Unset: []string{"A"}}))
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"A": "c"}}))
	seen(map[string]string{"TOKEN": "2"})
	same(t, got(s.Vars(ctx, "shop"))(t), map[string]string{"TOKEN": "2", "URL": "u", "A": "c"})
	must(t, s.RenameApp(ctx, "shop", "store"))
	same(t, got(s.BuildVars(ctx, "store"))(t), map[string]string{"TOKEN": "2"})
}

// refusedVars: a change that is refused changes nothing, and its error holds
// no value.
func refusedVars(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	const secret = "hunter2"
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"A": strings.Repeat("x", core.MaxVars/2)}}))
	before := got(s.Vars(ctx, "shop"))(t)
	for name, value := range map[string]string{
		"PORT": secret, "1X": secret, "B": secret + "\x00", "C": secret + "\xff", "D": secret + strings.Repeat("x", core.MaxVars/2),
	} {
		err := s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"OK": secret, name: value}})
		var rejected *core.Rejection
		if !errors.As(err, &rejected) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want a rejection without the value", name, err)
		}
	}
	same(t, got(s.Vars(ctx, "shop"))(t), before)
	must(t, s.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"D": strings.Repeat("x", core.MaxVars/2)}, Unset: []string{"A"}}))
}

func resources(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	same(t, got(s.Resources(ctx, "shop"))(t), core.Resources{})
	must(t, s.SetResources(ctx, "shop", core.Resources{MemoryMiB: 256}))
	same(t, got(s.Resources(ctx, "shop"))(t), core.Resources{MemoryMiB: 256})
	must(t, s.SetResources(ctx, "shop", core.Resources{CPUs: 2}))
	same(t, got(s.Resources(ctx, "shop"))(t), core.Resources{CPUs: 2})
	for _, r := range []core.Resources{{MemoryMiB: 1}, {MemoryMiB: -128}, {MemoryMiB: 1 << 30}, {CPUs: -1}, {CPUs: 9999}} {
		if err := s.SetResources(ctx, "shop", r); err == nil {
			t.Errorf("%+v was set", r)
		}
	}
	same(t, got(s.Resources(ctx, "shop"))(t), core.Resources{CPUs: 2})
}

// slower sets a rate.
func slower(n *core.Network) error { n.Rate = 1 << 20; return nil }

func networks(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	got(s.CreateApp(ctx, "blog"))(t)
	same(t, got(s.Network(ctx, "shop"))(t), core.Network{})
	rule := got(core.ParseEgressRule("[fd00::5]:443"))(t)
	allow := func(n *core.Network) error { _, err := n.Allow(rule); return err }
	must(t, s.ChangeNetwork(ctx, "shop", allow))
	must(t, s.ChangeNetwork(ctx, "shop", slower))
	want := core.Network{Rules: []core.EgressRule{rule}, Rate: 1 << 20}
	same(t, got(s.Network(ctx, "shop"))(t), want)
	same(t, got(s.Network(ctx, "blog"))(t), core.Network{})
	failed := errors.New("no")
	if err := s.ChangeNetwork(ctx, "shop", func(n *core.Network) error { n.Rate = 0; return failed }); !errors.Is(err, failed) {
		t.Errorf("a change that fails: %v", err)
	}
	must(t, s.RenameApp(ctx, "shop", "store"))
	same(t, got(s.Network(ctx, "store"))(t), want)
	must(t, s.ChangeNetwork(ctx, "store", func(n *core.Network) error { *n = core.Network{}; return nil }))
	same(t, got(s.Network(ctx, "store"))(t), core.Network{})
	must(t, s.ChangeNetwork(ctx, "store", allow))
	must(t, s.DeleteApp(ctx, "store"))
	got(s.CreateApp(ctx, "store"))(t)
	same(t, got(s.Network(ctx, "store"))(t), core.Network{})
}

func domains(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	got(s.CreateApp(ctx, "blog"))(t)
	must(t, s.AddDomain(ctx, "shop", "www.example.org"))
	must(t, s.AddDomain(ctx, "shop", "example.org"))
	must(t, s.AddDomain(ctx, "shop", "example.org"))
	must(t, s.AddDomain(ctx, "blog", "blog.example.org"))
	shop := []core.Domain{{App: "shop", Host: "example.org"}, {App: "shop", Host: "www.example.org"}}
	same(t, got(s.Domains(ctx, "shop"))(t), shop)
	same(t, got(s.Domains(ctx, ""))(t), append([]core.Domain{{App: "blog", Host: "blog.example.org"}}, shop...))

	var rejected *core.Rejection
	err := s.AddDomain(ctx, "blog", "example.org")
	if !errors.As(err, &rejected) || strings.Contains(err.Error(), "shop") {
		t.Errorf("a second owner: %v, want a rejection that does not say whose it is", err)
	}
	if err := s.AddDomain(ctx, "blog", "../etc"); err == nil {
		t.Error("a path is a domain")
	}
	if err := s.RemoveDomain(ctx, "blog", "example.org"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("another app's domain: %v, want ErrNotFound", err)
	}
	must(t, s.RemoveDomain(ctx, "shop", "example.org"))
	must(t, s.AddDomain(ctx, "blog", "example.org"))
	if list := got(s.Domains(ctx, "nope"))(t); len(list) != 0 {
		t.Errorf("an unknown app has %v", list)
	}
}

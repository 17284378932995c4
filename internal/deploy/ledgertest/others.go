package ledgertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"gitd/internal/deploy"
)

func machines(t *testing.T, s Store) {
	ctx := t.Context()
	first, second := live(t, s, "shop", Commit("a")), live(t, s, "shop", Commit("b"))
	m := deploy.Machine{ID: "shop-v1-aa", App: "shop", Release: first.Version, Addr: "127.0.0.1:1", Started: instant(time.Now())}
	n := deploy.Machine{ID: "shop-v2-bb", App: "shop", Release: second.Version}
	must(t, s.SaveMachine(ctx, n))
	must(t, s.SaveMachine(ctx, m))
	same(t, got(s.Machines(ctx))(t), []deploy.Machine{m, n})
	m.Addr = "127.0.0.1:2"
	must(t, s.SaveMachine(ctx, m))
	same(t, got(s.Machines(ctx))(t), []deploy.Machine{m, n})
	must(t, s.DeleteMachine(ctx, m.ID))
	must(t, s.DeleteMachine(ctx, m.ID))
	same(t, got(s.Machines(ctx))(t), []deploy.Machine{n})
}

func audit(t *testing.T, s Store) {
	ctx := t.Context()
	at := instant(time.Now())
	all := []deploy.Entry{
		{Time: at, App: "shop", Actor: "alice", Action: "app.create"},
		{Time: at.Add(-time.Hour), Actor: "host", Action: "key.add", Detail: "bob"},
		{Time: at, App: "gone", Actor: "gitd", Action: "machine.lost", Detail: "a\nb"},
		{Time: at, App: "shop", Actor: "gitd", Action: "release.live", Detail: "v1"},
	}
	for _, e := range all {
		must(t, s.Record(ctx, e))
	}
	same(t, got(s.Entries(ctx, "", 10))(t), []deploy.Entry{all[3], all[2], all[1], all[0]})
	same(t, got(s.Entries(ctx, "", 2))(t), []deploy.Entry{all[3], all[2]})
	same(t, got(s.Entries(ctx, "shop", 0))(t), []deploy.Entry{all[3], all[0]})
	if list := got(s.Entries(ctx, "nope", 5))(t); len(list) != 0 {
		t.Errorf("entries of an unknown app: %+v", list)
	}
}

func keys(t *testing.T, s Store) {
	ctx := t.Context()
	alice := key("alice", "SHA256:aaa")
	bob := key("bob", "SHA256:bbb")
	must(t, s.AddKey(ctx, bob))
	must(t, s.AddKey(ctx, alice))
	same(t, got(s.Keys(ctx))(t), []deploy.Key{alice, bob})

	before := time.Now().Add(-time.Second)
	used := got(s.KeyUsed(ctx, alice.Fingerprint))(t)
	if used.Name != "alice" || used.LastUsed.Before(before) {
		t.Errorf("used: %+v", used)
	}
	again := alice
	again.Admin, again.Added = true, alice.Added.Add(time.Hour)
	must(t, s.AddKey(ctx, again))
	used.Admin = true
	same(t, got(s.Keys(ctx))(t), []deploy.Key{used, bob})

	second := key("alice", "SHA256:ccc")
	second.Added = second.Added.Add(time.Hour)
	must(t, s.AddKey(ctx, second))
	same(t, got(s.Keys(ctx))(t), []deploy.Key{used, second, bob})
}

func oneOwner(t *testing.T, s Store) {
	ctx := t.Context()
	alice := key("alice", "SHA256:aaa")
	must(t, s.AddKey(ctx, alice))
	thief := alice
	thief.Name, thief.Admin = "mallory", true
	err := s.AddKey(ctx, thief)
	if err == nil || !strings.Contains(err.Error(), "alice") {
		t.Errorf("AddKey under another name: %v, want an error that names the owner", err)
	}
	if errors.Is(err, deploy.ErrNotFound) {
		t.Errorf("a taken key is not a missing one: %v", err)
	}
	same(t, got(s.Keys(ctx))(t), []deploy.Key{alice})
}

func key(name, fingerprint string) deploy.Key {
	return deploy.Key{Name: name, Fingerprint: fingerprint, Public: "ssh-ed25519 AAAA" + fingerprint[7:], Added: instant(time.Now())}
}

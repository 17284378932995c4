package ledgertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

func keys(t *testing.T, s Store) {
	ctx := t.Context()
	alice := key("alice", "SHA256:aaa")
	bob := key("bob", "SHA256:bbb")
	must(t, s.AddKey(ctx, bob, false, ofOwner))
	must(t, s.AddKey(ctx, alice, true, ofOwner))
	same(t, got(s.Keys(ctx))(t), []people.Key{alice, bob})

	before := time.Now().Add(-time.Second)
	who := got(s.KeyUsed(ctx, alice.Fingerprint, "192.0.2.1"))(t)
	if who.Name != "alice" || !who.Admin || who.Key != alice.Fingerprint {
		t.Errorf("alice's key is %+v", who)
	}
	used := got(s.Key(ctx, alice.Fingerprint))(t)
	if used.LastFrom != "192.0.2.1" || used.LastUsed.Before(before) {
		t.Errorf("used: %+v", used)
	}

	// Added again: when it was added and used stays, and nothing is taken.
	again := alice
	again.Added = alice.Added.Add(time.Hour)
	must(t, s.AddKey(ctx, again, false, ofOwner))
	same(t, got(s.Keys(ctx))(t), []people.Key{used, bob})
	if !got(s.User(ctx, "alice"))(t).Admin {
		t.Error("a key that is added again takes its owner's rights")
	}

	second := key("alice", "SHA256:ccc")
	second.Added = second.Added.Add(time.Hour)
	must(t, s.AddKey(ctx, second, false, ofOwner))
	same(t, got(s.Keys(ctx))(t), []people.Key{used, second, bob})
	must(t, s.RemoveKey(ctx, second.Fingerprint, entry))
	must(t, s.RemoveKey(ctx, bob.Fingerprint, entry))
	same(t, got(s.Keys(ctx))(t), []people.Key{used})
}

func oneOwner(t *testing.T, s Store) {
	ctx := t.Context()
	alice := key("alice", "SHA256:aaa")
	must(t, s.AddKey(ctx, alice, false, ofOwner))
	thief := alice
	thief.Name = "mallory"
	err := s.AddKey(ctx, thief, true, ofOwner)
	if !errors.Is(err, people.ErrKeyTaken) || !strings.Contains(err.Error(), "alice") {
		t.Errorf("AddKey under another name: %v, want ErrKeyTaken with the owner's name", err)
	}
	same(t, got(s.Keys(ctx))(t), []people.Key{alice})
	if _, err := s.User(ctx, "mallory"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the refused key left a user: %v", err)
	}
}

func expires(t *testing.T, s Store) {
	ctx := t.Context()
	late, soon := key("alice", "SHA256:aaa"), key("alice", "SHA256:bbb")
	late.Expires, soon.Expires = instant(time.Now().Add(-time.Second)), instant(time.Now().Add(time.Hour))
	must(t, s.AddKey(ctx, late, false, ofOwner))
	must(t, s.AddKey(ctx, soon, false, ofOwner))
	if _, err := s.KeyUsed(ctx, late.Fingerprint, ""); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("an expired key: %v, want ErrNotFound", err)
	}
	got(s.KeyUsed(ctx, soon.Fingerprint, ""))(t)
	if k := got(s.Key(ctx, late.Fingerprint))(t); !k.Expired(time.Now()) || !k.Expires.Equal(late.Expires) {
		t.Errorf("the expired key is %+v", k)
	}
}

// deployKey: the limit of a key outranks whatever its owner may, and ends
// with the app.
func deployKey(t *testing.T, s Store) {
	ctx := t.Context()
	ci := key("ci", "SHA256:aaa")
	ci.Limit = core.Limit{App: "shop", Role: core.RoleDeploy}
	must(t, s.AddKey(ctx, ci, true, ofOwner))
	a := got(s.KeyUsed(ctx, ci.Fingerprint, ""))(t)
	if a.Admin || !a.May("shop", core.RoleDeploy) || a.May("shop", core.RoleAdmin) || a.May("blog", core.RoleView) {
		t.Errorf("a deploy key of an administrator is %+v", a)
	}
	if k := got(s.Key(ctx, ci.Fingerprint))(t); k.Limit != ci.Limit {
		t.Errorf("its limit is %+v", k.Limit)
	}
}

func users(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AddUser(ctx, "bob", false, entry))
	must(t, s.AddUser(ctx, "alice", true, entry))
	if err := s.AddUser(ctx, "bob", true, entry); !errors.Is(err, people.ErrNameTaken) {
		t.Errorf("a second bob: %v, want ErrNameTaken", err)
	}
	must(t, s.AddKey(ctx, key("bob", "SHA256:bbb"), false, ofOwner))
	must(t, s.Grant(ctx, people.Grant{User: "bob", App: "shop", Role: core.RoleView}, entry))
	if err := s.RenameUser(ctx, "bob", "alice", entry); !errors.Is(err, people.ErrNameTaken) {
		t.Errorf("bob becomes alice: %v, want ErrNameTaken", err)
	}
	must(t, s.RenameUser(ctx, "bob", "rob", entry))
	list := got(s.Users(ctx))(t)
	if len(list) != 2 || list[0].Name != "alice" || !list[0].Admin || list[1].Name != "rob" || list[1].Admin || list[1].Added.IsZero() {
		t.Fatalf("users: %+v", list)
	}
	same(t, list[1].Grants, []people.Grant{{User: "rob", App: "shop", Role: core.RoleView}})
	if a := got(s.KeyUsed(ctx, "SHA256:bbb", ""))(t); a.Name != "rob" {
		t.Errorf("the key did not follow its owner: %+v", a)
	}
	must(t, s.RemoveUser(ctx, "rob", entry))
	if list := got(s.Keys(ctx))(t); len(list) != 0 {
		t.Errorf("a removed user left %+v", list)
	}
	// Whoever comes under the name later starts with nothing.
	must(t, s.AddUser(ctx, "rob", false, entry))
	if u := got(s.User(ctx, "rob"))(t); len(u.Grants) != 0 {
		t.Errorf("the next rob has %+v", u.Grants)
	}
}

func roles(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AddKey(ctx, key("sam", "SHA256:aaa"), false, ofOwner))
	may := func(app string, r core.Role) bool {
		t.Helper()
		return got(s.KeyUsed(ctx, "SHA256:aaa", ""))(t).May(app, r)
	}
	if may("shop", core.RoleView) {
		t.Error("a new user sees an app")
	}
	must(t, s.Grant(ctx, people.Grant{User: "sam", App: "shop", Role: core.RoleAdmin}, entry))
	must(t, s.Grant(ctx, people.Grant{User: "sam", App: "blog", Role: core.RoleView}, entry))
	for role := core.RoleView; role <= core.RoleAdmin; role++ {
		must(t, s.Grant(ctx, people.Grant{User: "sam", App: "shop", Role: role}, entry))
		if !may("shop", role) || may("shop", role+1) {
			t.Errorf("%s is stored as another role", role)
		}
	}
	must(t, s.Grant(ctx, people.Grant{User: "sam", App: "shop", Role: core.RoleDeploy}, entry))
	same(t, got(s.User(ctx, "sam"))(t).Grants, []people.Grant{
		{User: "sam", App: "blog", Role: core.RoleView}, {User: "sam", App: "shop", Role: core.RoleDeploy}})
	if !may("shop", core.RoleDeploy) || may("shop", core.RoleAdmin) || !may("blog", core.RoleView) || may("blog", core.RoleDeploy) {
		t.Error("the roles are not what was given last")
	}
	must(t, s.Revoke(ctx, "sam", "shop", entry))
	if err := s.Revoke(ctx, "sam", "shop", entry); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("revoked twice: %v, want ErrNotFound", err)
	}
	if may("shop", core.RoleView) || !may("blog", core.RoleView) {
		t.Error("revoked the wrong role")
	}
}

// lastAdmin: someone must be left who can let others in. An administrator
// with nothing but a deploy key, or without any, cannot.
func lastAdmin(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AddKey(ctx, key("alice", "SHA256:aaa"), true, ofOwner))
	must(t, s.AddUser(ctx, "zoe", true, entry))
	limited := key("zoe", "SHA256:bbb")
	limited.Limit = core.Limit{App: "shop", Role: core.RoleAdmin}
	must(t, s.AddKey(ctx, limited, false, ofOwner))
	for what, call := range map[string]func() error{
		"RemoveKey":  func() error { return s.RemoveKey(ctx, "SHA256:aaa", entry) },
		"RemoveUser": func() error { return s.RemoveUser(ctx, "alice", entry) },
		"SetAdmin":   func() error { return s.SetAdmin(ctx, "alice", false, entry) },
	} {
		if err := call(); !errors.Is(err, people.ErrLastAdmin) {
			t.Errorf("%s: %v, want ErrLastAdmin", what, err)
		}
	}
	if u := got(s.User(ctx, "alice"))(t); !u.Admin {
		t.Error("what was refused was done")
	}
	must(t, s.AddKey(ctx, key("bob", "SHA256:ccc"), true, ofOwner))
	must(t, s.SetAdmin(ctx, "alice", false, entry))
	must(t, s.RemoveUser(ctx, "alice", entry))
}

func key(name, fingerprint string) people.Key {
	return people.Key{Name: name, Fingerprint: fingerprint, Public: "ssh-ed25519 AAAA" + fingerprint[7:], Added: instant(time.Now())}
}

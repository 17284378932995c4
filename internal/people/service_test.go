package people_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/people"
)

// house is a service on a real ledger, with a door that counts its looks.
type house struct {
	*people.Service
	t      *testing.T
	path   string
	ledger *ledger.Ledger
	looks  int
}

func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, path: filepath.Join(t.TempDir(), "gitd.db")}
	l, err := ledger.Open(t.Context(), h.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h.ledger, h.Service = l, people.NewService(l)
	h.OnChange(func(context.Context) { h.looks++ })
	return h
}

// let lets someone in with a new key.
func (h *house) let(name string, admin bool) people.Key {
	h.t.Helper()
	k, err := people.NewKey(name, public(h.t))
	if err == nil {
		_, err = h.AddKey(h.t.Context(), core.Host(), k, admin)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return k
}

func public(t *testing.T) ssh.PublicKey {
	t.Helper()
	raw, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// fill gives h two administrators, sam with a role and a key, and an open
// invitation for kim, whose code it returns.
func (h *house) fill() (sam people.Key, code string) {
	h.t.Helper()
	h.let("ada", true)
	h.let("eve", true)
	sam = h.let("sam", false)
	if _, err := h.Grant(h.t.Context(), core.Host(), people.Grant{User: "sam", App: "shop", Role: core.RoleView}); err != nil {
		h.t.Fatal(err)
	}
	return sam, h.invite("kim")
}

func (h *house) invite(name string) (code string) {
	h.t.Helper()
	i := people.Invitation{Name: name, App: "shop", Role: core.RoleDeploy, Expires: time.Now().Add(time.Hour)}
	code, _, err := h.Invite(h.t.Context(), core.Host(), i)
	if err != nil {
		h.t.Fatal(err)
	}
	return code
}

// changes are all ways to change something, as by asks for them.
func (h *house) changes(by core.Actor, sam people.Key, code string) map[string]func() error {
	ctx, t := h.t.Context(), h.t
	said := func(_ string, err error) error { return err }
	plain, err := people.NewKey("sam", public(t))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]func() error{
		"AddUser":    func() error { return said(h.AddUser(ctx, by, "lin", false)) },
		"RenameUser": func() error { return said(h.RenameUser(ctx, by, "eve", "eva")) },
		"RemoveUser": func() error { return said(h.RemoveUser(ctx, by, "sam")) },
		"SetAdmin":   func() error { return said(h.SetAdmin(ctx, by, "ada", false)) },
		"Grant": func() error {
			return said(h.Grant(ctx, by, people.Grant{User: "sam", App: "blog", Role: core.RoleView}))
		},
		"Revoke":      func() error { return said(h.Revoke(ctx, by, "sam", "shop")) },
		"AddKey":      func() error { _, err := h.AddKey(ctx, by, plain, false); return err },
		"RemoveKey":   func() error { return h.RemoveKey(ctx, by, sam.Fingerprint) },
		"Redeem":      func() error { _, err := h.Redeem(ctx, people.HashCode(code), "x", public(t)); return err },
		"InviteFirst": func() error { _, _, err := h.InviteFirst(ctx, time.Hour); return err },
		"Invite": func() error {
			_, _, err := h.Invite(ctx, by, people.Invitation{Name: "lin", Expires: time.Now().Add(time.Hour)})
			return err
		},
	}
}

// everything is all that a change can touch.
func (h *house) everything() []any {
	h.t.Helper()
	ctx := h.t.Context()
	users, err1 := h.Users(ctx)
	keys, err2 := h.Keys(ctx)
	open, err3 := h.Invitations(ctx)
	entries, err4 := h.ledger.Entries(ctx, "", 0)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		h.t.Fatal(err)
	}
	return []any{users, keys, open, entries}
}

// TestEveryChangeIsTold: each change has its entry in the audit, and the
// doors have looked by the time that it returns.
func TestEveryChangeIsTold(t *testing.T) {
	for name := range open(t).changes(core.Host(), people.Key{}, "") {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			sam, code := h.fill()
			before, looks := h.everything(), h.looks
			if err := h.changes(core.Host(), sam, code)[name](); err != nil {
				t.Fatal(err)
			}
			if h.looks != looks+1 {
				t.Errorf("the doors looked %d times", h.looks-looks)
			}
			had, has := before[3].([]core.Entry), h.everything()[3].([]core.Entry)
			if len(has) != len(had)+1 || has[0].Action == "" || has[0].Actor == "" || has[0].Detail == "" || has[0].Time.IsZero() {
				t.Errorf("the audit says %+v", has[:len(has)-len(had)])
			}
		})
	}
}

// TestNoChangeWithoutItsEntry: when the audit takes no entry, nothing is
// changed, and the error says so. The doors look all the same.
func TestNoChangeWithoutItsEntry(t *testing.T) {
	h := open(t)
	sam, code := h.fill()
	db, err := sql.Open("sqlite", h.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'the audit is full'); END`); err != nil {
		t.Fatal(err)
	}
	before := h.everything()
	for name, change := range h.changes(core.Host(), sam, code) {
		looks := h.looks
		if err := change(); err == nil || !strings.Contains(err.Error(), "nothing was changed: ") || !strings.Contains(err.Error(), "the audit is full") {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(h.everything(), before) {
			t.Errorf("%s changed something", name)
		}
		if h.looks != looks+1 {
			t.Errorf("%s: the doors looked %d times", name, h.looks-looks)
		}
	}
}

// TestPolicy: who may change what. Whatever is refused changes nothing.
func TestPolicy(t *testing.T) {
	h := open(t)
	sam, code := h.fill()
	before := h.everything()
	limited := core.Actor{Name: "sam", Key: "SHA256:other", Limit: core.Limit{App: "shop", Role: core.RoleAdmin}}
	for who, by := range map[string]core.Actor{
		"nobody": {}, "lin": {Name: "lin"}, "an app's administrator": {Name: "lin", Grants: map[string]core.Role{"shop": core.RoleAdmin}},
		"sam's deploy key": limited,
	} {
		for name, change := range h.changes(by, sam, code) {
			if name == "Redeem" || name == "InviteFirst" {
				continue // nobody asks for those by name
			}
			if err := change(); !errors.Is(err, people.ErrNotAdmin) && !(name == "RemoveKey" && errors.Is(err, core.ErrNotFound)) {
				t.Errorf("%s, %s: %v", who, name, err)
			}
		}
	}
	self := core.Actor{Name: "sam", Key: sam.Fingerprint}
	k, err := people.NewKey("sam", public(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddKey(t.Context(), self, k, true); !errors.Is(err, people.ErrNotAdmin) {
		t.Errorf("sam makes sam an administrator: %v", err)
	}
	k.Limit = core.Limit{App: "blog", Role: core.RoleAdmin}
	if _, err := h.AddKey(t.Context(), self, k, false); !errors.Is(err, people.ErrNotAdmin) {
		t.Errorf("sam takes a role on blog: %v", err)
	}
	if !reflect.DeepEqual(h.everything(), before) {
		t.Error("what was refused was done")
	}
}

// TestOwnKeys: someone adds and removes their own, and a new one ends no
// later than the one it was added with.
func TestOwnKeys(t *testing.T) {
	h := open(t)
	h.fill()
	ctx, end := t.Context(), time.Now().Add(time.Hour).UTC().Round(0)
	first, err := people.NewKey("sam", public(t))
	if err != nil {
		t.Fatal(err)
	}
	first.Expires = end
	if _, err := h.AddKey(ctx, core.Host(), first, false); err != nil {
		t.Fatal(err)
	}
	self := core.Actor{Name: "sam", Key: first.Fingerprint}
	for name, tt := range map[string]struct{ asked, want time.Time }{
		"never":  {time.Time{}, end},
		"later":  {end.Add(time.Hour), end},
		"sooner": {end.Add(-time.Minute), end.Add(-time.Minute)},
	} {
		k, err := people.NewKey("sam", public(t))
		if err != nil {
			t.Fatal(err)
		}
		k.Expires = tt.asked
		added, err := h.AddKey(ctx, self, k, false)
		stored, err2 := h.Key(ctx, k.Fingerprint)
		if err != nil || err2 != nil || !added.Expires.Equal(tt.want) || !stored.Expires.Equal(tt.want) || added.Role() != "user" {
			t.Errorf("%s: %+v, %+v, %v, %v", name, added, stored, err, err2)
		}
		if err := h.RemoveKey(ctx, self, k.Fingerprint); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	k, err := people.NewKey("sam", public(t))
	if err != nil {
		t.Fatal(err)
	}
	cert := core.Actor{Name: "sam", Key: "SHA256:x (certificate)"}
	if _, err := h.AddKey(ctx, cert, k, false); err == nil || !strings.Contains(err.Error(), "you came with a certificate") {
		t.Errorf("with a certificate: %v", err)
	}
}

// TestVisible: an administrator knows of everyone, others of themselves, and
// a deploy key of its app.
func TestVisible(t *testing.T) {
	h := open(t)
	sam, _ := h.fill()
	for name, tt := range map[string]struct {
		by                       core.Actor
		users, keys, invitations int
	}{
		"administrator": {core.Host(), 3, 3, 1},
		"sam":           {core.Actor{Name: "sam", Key: sam.Fingerprint}, 1, 1, 0},
		"a deploy key":  {core.Actor{Name: "sam", Key: "SHA256:other", Limit: core.Limit{App: "blog", Role: core.RoleView}}, 1, 0, 0},
		"nobody":        {core.Actor{}, 0, 0, 0},
	} {
		users, err1 := h.VisibleUsers(t.Context(), tt.by)
		keys, err2 := h.VisibleKeys(t.Context(), tt.by)
		open, err3 := h.VisibleInvitations(t.Context(), tt.by)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if len(users) != tt.users || len(keys) != tt.keys || len(open) != tt.invitations {
			t.Errorf("%s: %d users, %d keys, %d invitations", name, len(users), len(keys), len(open))
		}
		if name == "a deploy key" && !reflect.DeepEqual(users[0].Grants, []people.Grant{{User: "sam", App: "blog", Role: core.RoleView}}) {
			t.Errorf("a deploy key sees %+v", users[0])
		}
	}
}

// TestRegisterAdmins: what the environment says is registered while no administrator can log in, with an entry for each
// key. It undid a revocation before: a key that was removed was an administrator's again at the next start.
func TestRegisterAdmins(t *testing.T) {
	h := open(t)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public(t)))) + " ada@laptop\n"
	start := func(lines string, ignored int) (entries int) {
		t.Helper()
		if n, err := h.RegisterAdmins(t.Context(), "# ours\n\n"+lines); err != nil || n != ignored {
			t.Fatalf("%d keys are ignored, want %d; %v", n, ignored, err)
		}
		return len(h.everything()[3].([]core.Entry))
	}
	both := line + string(ssh.MarshalAuthorizedKey(public(t)))
	if n := start(both, 0); n != 2 {
		t.Errorf("%d entries for two keys", n)
	}
	if again := start(both, 0); again != 2 {
		t.Errorf("%d entries for what was there already", again-2)
	}
	h.let("eve", true)
	for n, change := range []func() (string, error){
		func() (string, error) { return h.SetAdmin(t.Context(), core.Host(), "ada@laptop", false) },
		func() (string, error) { return h.RemoveUser(t.Context(), core.Host(), "ada@laptop") },
	} {
		if _, err := change(); err != nil {
			t.Fatal(err)
		}
		before := h.everything()
		start(both, 1)
		if !reflect.DeepEqual(before, h.everything()) {
			t.Errorf("revocation %d: the next start has changed something", n)
		}
	}
	if _, err := h.RegisterAdmins(t.Context(), line+"hello"); err == nil || !strings.HasPrefix(err.Error(), "key 2: ") {
		t.Errorf("a wrong second line: %v", err)
	}
}

// TestRedeem: the one who comes has the rights of the invitation, and the
// audit says who let them in.
func TestRedeem(t *testing.T) {
	h := open(t)
	claim, _, err := h.InviteFirst(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := h.Redeem(t.Context(), people.HashCode(claim), "host", public(t)); err == nil {
		t.Errorf("someone is called host: %+v", i)
	}
	if i, err := h.Redeem(t.Context(), people.HashCode(claim), "ada", public(t)); err != nil || i.Name != "ada" || !i.Admin {
		t.Errorf("claimed: %+v, %v", i, err)
	}
	code := h.invite("sam")
	if i, err := h.Redeem(t.Context(), people.HashCode(code), "admin", public(t)); err != nil || i.Name != "sam" || i.Admin {
		t.Errorf("joined: %+v, %v", i, err)
	}
	if _, err := h.Redeem(t.Context(), people.HashCode(code), "admin", public(t)); !errors.Is(err, people.ErrVoid) {
		t.Errorf("twice: %v", err)
	}
	var have []string
	for _, e := range h.everything()[3].([]core.Entry) {
		have = append(have, e.Actor+" "+e.Action)
	}
	want := []string{"sam user.join", "host user.invite", "ada user.claim", "gitd user.invite"}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("the audit says %q, want %q", have, want)
	}
	if known, err := h.HasKeys(t.Context()); err != nil || !known {
		t.Errorf("HasKeys: %v, %v", known, err)
	}
}

func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"": {}, "12h": now.Add(12 * time.Hour), "30d": now.AddDate(0, 0, 30), "2026-05-01": time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC),
	} {
		if got, err := people.ParseExpiry(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v, want %s", s, got, err, want)
		}
	}
	for s, why := range map[string]string{
		"-1h": "in the past", "0d": "in the past", "2026-04-30": "in the past", "soon": "cannot read the time", "99999d": "cannot read the time",
	} {
		if got, err := people.ParseExpiry(s, now); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %s, %v, want %q", s, got, err, why)
		}
	}
}

// TestStill: whoever lost a key or a role since they asked for something may not do it any more.
func TestStill(t *testing.T) {
	h := open(t)
	sam, _ := h.fill()
	ctx := t.Context()
	by := core.Actor{Name: "sam", Key: sam.Fingerprint, Grants: map[string]core.Role{"shop": core.RoleView}}
	certified := core.Actor{Name: "sam", Key: "SHA256:x (sam, 7)", Certificate: "ssh-ed25519-cert…", Grants: by.Grants}
	still := func(who core.Actor, want bool) {
		t.Helper()
		if err := h.Still(ctx, who, "shop"); (err == nil) != want {
			t.Errorf("%s: %v", who.Key, err)
		}
	}
	still(by, true)
	still(certified, true)
	still(core.Host(), true)
	if _, err := h.Revoke(ctx, core.Host(), "sam", "shop"); err != nil {
		t.Fatal(err)
	}
	still(by, false)
	still(certified, false)
	if _, err := h.Grant(ctx, core.Host(), people.Grant{User: "sam", App: "shop", Role: core.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	still(by, true)
	if err := h.RemoveKey(ctx, core.Host(), sam.Fingerprint); err != nil {
		t.Fatal(err)
	}
	still(by, false)
	still(certified, true)
	still(core.Host(), true)
}

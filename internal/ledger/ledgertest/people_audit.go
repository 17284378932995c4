package ledgertest

import (
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// entry is what the audit says of a change whose entry is not looked at.
var entry = core.Entry{Time: time.Unix(0, 0), Actor: "alice", Action: "test"}

func ofOwner(people.User) core.Entry            { return entry }
func ofInvitation(people.Invitation) core.Entry { return entry }

// change is a change of people, with its entry.
type change func(e core.Entry) error

// peopleAudit: a change and its entry are stored together. One whose entry is
// refused leaves no change, and one that is refused leaves no entry.
func peopleAudit(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AddKey(ctx, key("alice", "SHA256:aaa"), true, ofOwner))
	must(t, s.AddKey(ctx, key("bob", "SHA256:bbb"), false, ofOwner))
	must(t, s.Grant(ctx, people.Grant{User: "bob", App: "shop", Role: core.RoleView}, entry))
	must(t, s.Invite(ctx, invite("sam", "code"), entry))
	before := everything(t, s)
	noAction := core.Entry{Time: time.Now(), Actor: "alice"} // an entry that no store takes
	for what, change := range goodChanges(t, s) {
		if err := change(noAction); err == nil {
			t.Errorf("%s: done without its entry", what)
		}
		same(t, everything(t, s), before)
	}
	for what, change := range badChanges(t, s) {
		if err := change(entry); err == nil {
			t.Errorf("%s: not refused", what)
		}
		same(t, everything(t, s), before)
	}
	e := core.Entry{Time: instant(time.Now()), App: "shop", Actor: "alice", Action: "user.add", Detail: "kim"}
	must(t, s.AddUser(ctx, "kim", false, e))
	list := got(s.Entries(ctx, "shop", 1))(t)
	e.ID = list[0].ID
	same(t, list, []core.Entry{e})
}

// everything is all that a change of people can touch.
func everything(t *testing.T, s Store) []any {
	t.Helper()
	ctx := t.Context()
	return []any{got(s.Users(ctx))(t), got(s.Keys(ctx))(t), got(s.Invitations(ctx))(t), got(s.Entries(ctx, "", 0))(t)}
}

// goodChanges would be made, but for their entries.
func goodChanges(t *testing.T, s Store) map[string]change {
	ctx := t.Context()
	return map[string]change{
		"AddUser":    func(e core.Entry) error { return s.AddUser(ctx, "kim", false, e) },
		"SetAdmin":   func(e core.Entry) error { return s.SetAdmin(ctx, "bob", true, e) },
		"RenameUser": func(e core.Entry) error { return s.RenameUser(ctx, "alice", "zoe", e) },
		"RemoveUser": func(e core.Entry) error { return s.RemoveUser(ctx, "bob", e) },
		"Grant":      func(e core.Entry) error { return s.Grant(ctx, viewer("alice"), e) },
		"Revoke":     func(e core.Entry) error { return s.Revoke(ctx, "bob", "shop", e) },
		"RemoveKey":  func(e core.Entry) error { return s.RemoveKey(ctx, "SHA256:bbb", e) },
		"Invite":     func(e core.Entry) error { return s.Invite(ctx, invite("kim", "other"), e) },
		"AddKey": func(e core.Entry) error {
			return s.AddKey(ctx, key("alice", "SHA256:ccc"), false, func(owner people.User) core.Entry {
				if owner.Name != "alice" || !owner.Admin {
					t.Errorf("AddKey: the owner is %+v", owner)
				}
				return e
			})
		},
		"Redeem": func(e core.Entry) error {
			_, err := s.Redeem(ctx, people.HashCode("code"), key("", "SHA256:ccc"), func(i people.Invitation) core.Entry {
				if i.Name != "sam" || i.By != "alice" {
					t.Errorf("Redeem: the invitation is %+v", i)
				}
				return e
			})
			return err
		},
	}
}

// badChanges are refused, whatever their entries.
func badChanges(t *testing.T, s Store) map[string]change {
	ctx := t.Context()
	return map[string]change{
		"AddUser":    func(e core.Entry) error { return s.AddUser(ctx, "alice", false, e) },
		"SetAdmin":   func(e core.Entry) error { return s.SetAdmin(ctx, "alice", false, e) },
		"RenameUser": func(e core.Entry) error { return s.RenameUser(ctx, "nobody", "zoe", e) },
		"RemoveUser": func(e core.Entry) error { return s.RemoveUser(ctx, "alice", e) },
		"Grant":      func(e core.Entry) error { return s.Grant(ctx, viewer("nobody"), e) },
		"Revoke":     func(e core.Entry) error { return s.Revoke(ctx, "alice", "shop", e) },
		"RemoveKey":  func(e core.Entry) error { return s.RemoveKey(ctx, "SHA256:aaa", e) },
		"AddKey": func(e core.Entry) error {
			return s.AddKey(ctx, key("mallory", "SHA256:aaa"), false, func(people.User) core.Entry { return e })
		},
		"Redeem": func(e core.Entry) error {
			_, err := s.Redeem(ctx, "", key("", "SHA256:ccc"), func(people.Invitation) core.Entry { return e })
			return err
		},
	}
}

func viewer(name string) people.Grant {
	return people.Grant{User: name, App: "shop", Role: core.RoleView}
}

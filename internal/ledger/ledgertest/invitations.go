package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

func invitation(t *testing.T, s Store) {
	ctx := t.Context()
	must(t, s.AddKey(ctx, key("alice", "SHA256:aaa"), true, ofOwner))
	i := invite("sam", "code")
	i.App, i.Role = "shop", core.RoleDeploy
	must(t, s.Invite(ctx, i, entry))
	same(t, got(s.Invitations(ctx))(t), []people.Invitation{i})
	k := key("whatever they call themselves", "SHA256:bbb")
	same(t, got(s.Redeem(ctx, i.Hash, k, ofInvitation))(t), i)
	a := got(s.KeyUsed(ctx, "SHA256:bbb", ""))(t)
	if a.Name != "sam" || a.Admin || !a.May("shop", core.RoleDeploy) || a.May("shop", core.RoleAdmin) {
		t.Errorf("sam is %+v", a)
	}
	if list := got(s.Invitations(ctx))(t); len(list) != 0 {
		t.Errorf("used, and open still: %+v", list)
	}

	// A second key for the same person, and nobody else's.
	i = invite("sam", "laptop")
	must(t, s.Invite(ctx, i, entry))
	if _, err := s.Redeem(ctx, i.Hash, key("", "SHA256:aaa"), ofInvitation); !errors.Is(err, people.ErrKeyTaken) {
		t.Errorf("sam comes with alice's key: %v, want ErrKeyTaken", err)
	}
	got(s.Redeem(ctx, i.Hash, key("", "SHA256:ccc"), ofInvitation))(t)
	if a := got(s.KeyUsed(ctx, "SHA256:ccc", ""))(t); !a.May("shop", core.RoleDeploy) {
		t.Errorf("the second key is %+v", a)
	}
}

func voidInvitation(t *testing.T, s Store) {
	ctx := t.Context()
	late, open, replaced := invite("late", "a"), invite("sam", "c"), invite("sam", "b")
	late.Expires = instant(time.Now().Add(-time.Millisecond))
	must(t, s.Invite(ctx, late, entry))
	must(t, s.Invite(ctx, replaced, entry))
	must(t, s.Invite(ctx, open, entry))
	same(t, got(s.Invitations(ctx))(t), []people.Invitation{open})
	for _, hash := range []string{late.Hash, replaced.Hash, people.HashCode("never was"), ""} {
		if _, err := s.Redeem(ctx, hash, key("", "SHA256:aaa"), ofInvitation); !errors.Is(err, people.ErrVoid) {
			t.Errorf("redeem %q: %v, want ErrVoid", hash, err)
		}
	}
	got(s.Redeem(ctx, open.Hash, key("", "SHA256:aaa"), ofInvitation))(t)
	if _, err := s.Redeem(ctx, open.Hash, key("", "SHA256:bbb"), ofInvitation); !errors.Is(err, people.ErrVoid) {
		t.Errorf("redeemed twice: %v, want ErrVoid", err)
	}
	// With the user go the invitations that would bring them back.
	again := invite("sam", "d")
	must(t, s.Invite(ctx, again, entry))
	must(t, s.RemoveUser(ctx, "sam", entry))
	if _, err := s.Redeem(ctx, again.Hash, key("", "SHA256:bbb"), ofInvitation); !errors.Is(err, people.ErrVoid) {
		t.Errorf("redeemed after the user was removed: %v, want ErrVoid", err)
	}
}

func claim(t *testing.T, s Store) {
	ctx := t.Context()
	i := invite("", "code")
	i.Admin = true
	must(t, s.Invite(ctx, i, entry))
	if done := got(s.Redeem(ctx, i.Hash, key("ada", "SHA256:aaa"), ofInvitation))(t); done.Name != "ada" {
		t.Errorf("claimed by %+v", done)
	}
	if a := got(s.KeyUsed(ctx, "SHA256:aaa", ""))(t); a.Name != "ada" || !a.Admin {
		t.Errorf("the first person is %+v", a)
	}
	// A claim that is open when the first key comes another way is void.
	must(t, s.Invite(ctx, i, entry))
	if _, err := s.Redeem(ctx, i.Hash, key("eve", "SHA256:bbb"), ofInvitation); !errors.Is(err, people.ErrVoid) {
		t.Errorf("claimed beside a key: %v, want ErrVoid", err)
	}
}

// manyHands: however many come at once with one code, one gets in.
func manyHands(t *testing.T, s Store) {
	i := invite("", "code")
	i.Admin = true
	must(t, s.Invite(t.Context(), i, entry))
	var all sync.WaitGroup
	in := make(chan string, 8)
	for n := range cap(in) {
		all.Go(func() {
			k := key(fmt.Sprintf("user%d", n), fmt.Sprintf("SHA256:%d", n))
			switch _, err := s.Redeem(t.Context(), i.Hash, k, ofInvitation); {
			case err == nil:
				in <- k.Name
			case !errors.Is(err, people.ErrVoid):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list := got(s.Users(t.Context()))(t); len(in) != 1 || len(list) != 1 {
		t.Errorf("%d came in, and %d are there", len(in), len(list))
	}
}

func invite(name, code string) people.Invitation {
	now := instant(time.Now())
	return people.Invitation{Hash: people.HashCode(code), Name: name, By: "alice", Created: now, Expires: now.Add(time.Hour)}
}

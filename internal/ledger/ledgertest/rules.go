package ledgertest

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core/rules"
)

func fewer(s *rules.Set) error { return s.Limits.Change(rules.LimitRequests, "100/s") }

// ruleSets: the rules of a front door are kept as they are, move with their app, and end with it.
func ruleSets(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	got(s.CreateApp(ctx, "blog"))(t)
	want := rules.Set{
		Users:       []rules.User{{Name: "ada", Hash: "$2a$10$x"}},
		Allow:       []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")},
		Maintenance: &rules.Maintenance{Since: instant(time.Now()), By: "ada", Page: "<p>\"soon\"</p>", Retry: time.Minute},
		Pages:       map[int]string{503: "<p>no</p>"},
		Limits:      rules.Limits{Requests: rules.Rate{N: 1, Per: time.Hour}, Body: 1 << 40, Connections: 7},
	}
	set := func(r *rules.Set) error { *r = want; return nil }
	same(t, got(s.Rules(ctx, "shop"))(t), rules.Set{})
	must(t, s.ChangeRules(ctx, "shop", set))
	same(t, got(s.Rules(ctx, "shop"))(t), want)
	same(t, got(s.Rules(ctx, "blog"))(t), rules.Set{})
	failed := errors.New("no")
	if err := s.ChangeRules(ctx, "shop", func(r *rules.Set) error { r.Users = nil; return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	must(t, s.RenameApp(ctx, "shop", "store"))
	same(t, got(s.AllRules(ctx))(t), map[string]rules.Set{"store": want})
	must(t, s.ChangeRules(ctx, "store", func(r *rules.Set) error { *r = rules.Set{}; return nil }))
	same(t, got(s.AllRules(ctx))(t), map[string]rules.Set{})
	must(t, s.ChangeRules(ctx, "store", set))
	must(t, s.DeleteApp(ctx, "store"))
	got(s.CreateApp(ctx, "store"))(t)
	same(t, got(s.Rules(ctx, "store"))(t), rules.Set{})
}

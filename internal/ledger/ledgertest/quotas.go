package ledgertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// quotas: they follow their app or user through its renames, and end with it; the apps of a user who goes are nobody's.
func quotas(t *testing.T, s Store) {
	ctx, entry := t.Context(), core.Entry{Time: time.Now(), Actor: "ada", Action: "test"}
	must(t, s.AddUser(ctx, "sam", false, entry))
	same(t, got(s.FoundApp(ctx, "shop", "sam", 1))(t), true)
	same(t, got(s.FoundApp(ctx, "shop", "sam", 1))(t), false)
	if _, err := s.FoundApp(ctx, "blog", "sam", 1); !errors.Is(err, core.ErrTooMany) {
		t.Errorf("a second app: %v", err)
	}
	same(t, got(s.FoundApp(ctx, "base", "host", core.Unlimited))(t), true)
	same(t, got(s.App(ctx, "base"))(t).Owner, "")
	same(t, got(s.AppQuota(ctx, "shop"))(t), core.Quota{})

	q := core.Quota{core.LimitMemory: 1 << 30, core.LimitMachines: core.Unlimited}
	must(t, s.SetAppQuota(ctx, "shop", q))
	must(t, s.SetUserQuota(ctx, "sam", q))
	must(t, s.SetUserQuota(ctx, "sam", core.Quota{core.LimitApps: 0}))
	must(t, s.RenameApp(ctx, "shop", "store"))
	must(t, s.RenameUser(ctx, "sam", "samuel", entry))
	same(t, got(s.AppQuota(ctx, "store"))(t), q)
	same(t, got(s.UserQuota(ctx, "samuel"))(t), core.Quota{core.LimitApps: 0})
	same(t, got(s.Owned(ctx, "samuel"))(t), []string{"store"})

	must(t, s.RemoveUser(ctx, "samuel", entry))
	same(t, got(s.App(ctx, "store"))(t).Owner, "")
	must(t, s.DeleteApp(ctx, "store"))
	for what, err := range map[string]error{
		"user":     func() error { _, err := s.UserQuota(ctx, "samuel"); return err }(),
		"app":      func() error { _, err := s.AppQuota(ctx, "store"); return err }(),
		"set user": s.SetUserQuota(ctx, "samuel", q),
		"set app":  s.SetAppQuota(ctx, "store", q),
	} {
		if !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// concurrentOwners: a person who pushes many first pushes at once makes no more apps than they may.
func concurrentOwners(t *testing.T, s Store) {
	must(t, s.AddUser(t.Context(), "sam", false, core.Entry{Time: time.Now(), Actor: "ada", Action: "test"}))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if _, err := s.FoundApp(t.Context(), fmt.Sprint("app", i), "sam", 3); err != nil && !errors.Is(err, core.ErrTooMany) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if own := got(s.Owned(t.Context(), "sam"))(t); len(own) != 3 {
		t.Errorf("sam has %v", own)
	}
}

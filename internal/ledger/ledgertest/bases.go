package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// bases: an update comes back with who asked for it and with its moves, which go with their apps from name to name; the
// schedule is the last one that was set.
func bases(t *testing.T, s Store) {
	ctx := t.Context()
	for _, app := range []string{"blog", "shop", "wiki"} {
		got(s.CreateApp(ctx, app))(t)
	}
	at, old, fresh := instant(time.Now()), core.BaseRef{ID: "a", Node: "22.1.0"}, core.BaseRef{ID: "b", Node: "22.2.0"}
	entry := func(app, action string) core.Entry {
		return core.Entry{Time: at, App: app, Actor: "ada", Action: action}
	}
	u := core.BaseUpdate{
		Wish: core.BaseWish{Apps: []string{"shop"}, Node: "22"}, Begun: at,
		By: core.Actor{Name: "ada", Key: "SHA256:x", Certificate: "c", Grants: map[string]core.Role{"shop": core.RoleAdmin}},
		Moves: []core.BaseMove{
			{App: "blog", State: core.BaseStays, Reason: "pinned", Was: old}, {App: "shop", State: core.BaseWaits, Was: old, Is: fresh, From: 3},
			{App: "wiki", State: core.BaseWaits, Was: old, Is: fresh, From: 1},
		},
	}
	first := got(s.AddBaseUpdate(ctx, u))(t)
	u.ID = first.ID
	same(t, first, u)
	same(t, got(s.BaseUpdates(ctx))(t), []core.BaseUpdate{u})

	must(t, s.RenameApp(ctx, "shop", "store"))
	must(t, s.DeleteApp(ctx, "wiki"))
	u.Moves = u.Moves[:2]
	u.Moves[1] = core.BaseMove{App: "store", State: core.BaseMoved, Was: old, Is: fresh, From: 3, Release: 4, Took: time.Second}
	must(t, s.SaveBaseMove(ctx, u.ID, u.Moves[1], entry("store", "base.update")))
	must(t, s.SaveBaseMove(ctx, u.ID, core.BaseMove{App: "shop", State: core.BaseMoved}, entry("shop", "base.update")))
	u.Ended = at.Add(time.Minute)
	must(t, s.EndBaseUpdate(ctx, u.ID, u.Ended, entry("", "base.update")))
	second := got(s.AddBaseUpdate(ctx, core.BaseUpdate{Undo: u.ID, By: core.Actor{Name: "gitd", Admin: true, Grants: map[string]core.Role{}}, Begun: at}))(t)
	same(t, got(s.BaseUpdates(ctx))(t), []core.BaseUpdate{second, u})
	same(t, got(s.BaseUpdate(ctx, u.ID))(t), u)
	if _, err := s.BaseUpdate(ctx, second.ID+1); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("an update that is not there: %v", err)
	}

	same(t, got(s.BaseSchedule(ctx))(t), core.BaseSchedule{})
	for _, when := range []core.BaseSchedule{{Text: "0 3 * * *", By: "ada"}, {Text: "0 4 * * *", Zone: "Asia/Tokyo", By: "bob"}, {}} {
		must(t, s.SetBaseSchedule(ctx, when, entry("", "base.schedule")))
		same(t, got(s.BaseSchedule(ctx))(t), when)
	}
	same(t, len(got(s.Entries(ctx, "", 0))(t)) >= 6, true)
}

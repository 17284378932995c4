package ledgertest

import (
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func machines(t *testing.T, s Store) {
	ctx := t.Context()
	first, second := live(t, s, "shop", Commit("a")), live(t, s, "shop", Commit("b"))
	m := core.Machine{ID: "shop-v1-aa", App: "shop", Release: first.Version, Process: core.FirstWeb, Addr: "127.0.0.1:1", Started: instant(time.Now())}
	n := core.Machine{ID: "shop-v2-bb", App: "shop", Release: second.Version, Process: core.ProcessID{Type: "mail-queue", Number: 12}}
	must(t, s.SaveMachine(ctx, n))
	must(t, s.SaveMachine(ctx, m))
	same(t, got(s.Machines(ctx))(t), []core.Machine{m, n})
	m.Addr = "127.0.0.1:2"
	must(t, s.SaveMachine(ctx, m))
	same(t, got(s.Machines(ctx))(t), []core.Machine{m, n})
	must(t, s.DeleteMachine(ctx, m.ID))
	must(t, s.DeleteMachine(ctx, m.ID))
	same(t, got(s.Machines(ctx))(t), []core.Machine{n})
}

func audit(t *testing.T, s Store) {
	ctx := t.Context()
	at := instant(time.Now())
	all := []core.Entry{
		{Time: at, App: "shop", Actor: "alice", Action: "app.create"},
		{Time: at.Add(-time.Hour), Actor: "host", Action: "key.add", Detail: "bob"},
		{Time: at, App: "gone", Actor: "gitd", Action: "machine.lost", Detail: "a\nb"},
		{Time: at, App: "shop", Actor: "gitd", Action: "release.live", Detail: "v1"},
	}
	for _, e := range all {
		must(t, s.Record(ctx, e))
	}
	same(t, got(s.Entries(ctx, "", 10))(t), []core.Entry{all[3], all[2], all[1], all[0]})
	same(t, got(s.Entries(ctx, "", 2))(t), []core.Entry{all[3], all[2]})
	same(t, got(s.Entries(ctx, "shop", 0))(t), []core.Entry{all[3], all[0]})
	if list := got(s.Entries(ctx, "nope", 5))(t); len(list) != 0 {
		t.Errorf("entries of an unknown app: %+v", list)
	}
}

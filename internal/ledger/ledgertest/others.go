package ledgertest

import (
	"reflect"
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
	for i := range all {
		next := s.NextChange()
		must(t, s.Record(ctx, all[i]))
		<-next
		all[i].ID = got(s.Entries(ctx, "", 1))(t)[0].ID
	}
	same(t, got(s.Entries(ctx, "", 10))(t), []core.Entry{all[3], all[2], all[1], all[0]})
	same(t, got(s.Entries(ctx, "", 2))(t), []core.Entry{all[3], all[2]})
	same(t, got(s.Entries(ctx, "shop", 0))(t), []core.Entry{all[3], all[0]})
	if list := got(s.Entries(ctx, "nope", 5))(t); len(list) != 0 {
		t.Errorf("entries of an unknown app: %+v", list)
	}
	entryRanges(t, s, all)
}

func entryRanges(t *testing.T, s Store, all []core.Entry) {
	for name, tt := range map[string]struct {
		of   core.EntryRange
		want []core.Entry
	}{
		"all":            {core.EntryRange{}, all},
		"the newest two": {core.EntryRange{Newest: true, Limit: 2}, []core.Entry{all[3], all[2]}},
		"between":        {core.EntryRange{After: all[0].ID, Before: all[3].ID}, all[1:3]},
		"older":          {core.EntryRange{Before: all[3].ID, Newest: true, Limit: 1}, all[2:3]},
		"since":          {core.EntryRange{Since: all[0].Time}, []core.Entry{all[0], all[2], all[3]}},
		"one app":        {core.EntryRange{Apps: []string{"shop"}, After: all[0].ID}, all[3:]},
		"two apps":       {core.EntryRange{Apps: []string{"gone", "shop"}, Newest: true, Limit: 2}, []core.Entry{all[3], all[2]}},
		"no apps":        {core.EntryRange{Apps: []string{}}, nil},
		"later":          {core.EntryRange{After: all[3].ID}, nil},
	} {
		if list := got(s.EntriesOf(t.Context(), tt.of))(t); len(list) != len(tt.want) || len(list) > 0 && !reflect.DeepEqual(list, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, list, tt.want)
		}
	}
}

package ledgertest

import (
	"errors"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
)

func hostPorts(t *testing.T, s Store) {
	ctx := t.Context()
	got(s.CreateApp(ctx, "shop"))(t)
	got(s.CreateApp(ctx, "blog"))(t)
	given, taken := offer.HostPort{App: "shop", Host: 15432, Port: 5432}, offer.HostPort{App: "shop", Host: 5000, Port: 5000, Range: true}
	must(t, s.TakePorts(ctx, []offer.HostPort{given, taken}))
	must(t, s.TakePorts(ctx, []offer.HostPort{taken}))
	same(t, got(s.HostPorts(ctx, "shop"))(t), []offer.HostPort{taken, given})

	free := offer.HostPort{App: "blog", Host: 6000, Port: 6000}
	err := s.TakePorts(ctx, []offer.HostPort{free, {App: "blog", Host: 15432, Port: 1234}})
	if _, is := errors.AsType[*core.Rejection](err); !is {
		t.Errorf("a port of another app: %v, want a rejection", err)
	}
	if all := got(s.HostPorts(ctx, "blog"))(t); len(all) > 0 {
		t.Errorf("half of a change: %+v", all)
	}
	if err := s.TakePorts(ctx, []offer.HostPort{{App: "nobody", Host: 1, Port: 1024}}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("an unknown app: %v", err)
	}
	// What an operator has given stays given, though a push takes it too; the other way round it is given from then on.
	asRange := given
	asRange.Range = true
	must(t, s.TakePorts(ctx, []offer.HostPort{asRange}))
	byHand := taken
	byHand.Range = false
	must(t, s.TakePorts(ctx, []offer.HostPort{byHand}))
	same(t, got(s.HostPorts(ctx, "shop"))(t), []offer.HostPort{byHand, given})

	if err := s.GivePort(ctx, "blog", 5000); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a port of another app is taken away: %v", err)
	}
	must(t, s.GivePort(ctx, "shop", 5000))
	must(t, s.RenameApp(ctx, "shop", "store"))
	given.App = "store"
	same(t, got(s.HostPorts(ctx, ""))(t), []offer.HostPort{given})

	o := got(s.Offer(ctx, "store"))(t)
	same(t, o, offer.Offer{Hosts: []offer.HostPort{given}})
	r := got(s.AddRelease(ctx, Draft("store", Commit("a"))))(t)
	r.Manifest.Expose, r.Manifest.Port = core.Expose{TCP: []int{5432}, NoHTTP: true}, 5432
	for _, state := range []core.State{core.Built, core.Booting, core.Healthy} {
		r.State = state
		must(t, s.SaveRelease(ctx, r))
	}
	must(t, s.Promote(ctx, r))
	same(t, got(s.Offer(ctx, "store"))(t), offer.Offer{Expose: r.Manifest.Expose, Web: 5432, Hosts: []offer.HostPort{given}})
	must(t, s.DeleteApp(ctx, "store"))
	must(t, s.TakePorts(ctx, []offer.HostPort{{App: "blog", Host: 15432, Port: 5432}}))
}

func links(t *testing.T, s Store) {
	ctx := t.Context()
	for _, app := range []string{"shop", "db", "blog"} {
		got(s.CreateApp(ctx, app))(t)
	}
	wish := core.Link{App: "shop", Target: "db", By: "ada", Created: time.Now()}
	first := got(s.AddLink(ctx, wish))(t)
	if first.ID == 0 || first.Name != "db" {
		t.Errorf("added %+v", first)
	}
	wish.Var = "DATABASE_URL"
	if again := got(s.AddLink(ctx, wish))(t); again.ID != first.ID || again.Var != "DATABASE_URL" {
		t.Errorf("added again: %+v", again)
	}
	wish.Var = ""
	if again := got(s.AddLink(ctx, wish))(t); again.Var != "DATABASE_URL" {
		t.Errorf("added without a variable: %+v", again)
	}
	other := got(s.AddLink(ctx, core.Link{App: "blog", Target: "db", By: "ada", Created: time.Now()}))(t)
	if _, err := s.AddLink(ctx, core.Link{App: "shop", Target: "nobody"}); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a link to an unknown app: %v", err)
	}
	same(t, got(s.Network(ctx, "shop"))(t).Links, []core.LinkEnd{{ID: first.ID, Names: []string{"db"}}})

	// It is the app that is linked, and not its name.
	must(t, s.RenameApp(ctx, "db", "store"))
	got(s.CreateApp(ctx, "db"))(t)
	same(t, got(s.Network(ctx, "shop"))(t).Links, []core.LinkEnd{{ID: first.ID, Names: []string{"store", "db"}}})
	if l := got(s.Link(ctx, first.ID))(t); l.Target != "store" || l.App != "shop" {
		t.Errorf("the link leads to %+v", l)
	}
	if to := got(s.LinksTo(ctx, "store"))(t); len(to) != 2 || to[0].App != "blog" {
		t.Errorf("linked to store: %+v", to)
	}
	if to := got(s.LinksTo(ctx, "db"))(t); len(to) != 0 {
		t.Errorf("linked to the next app of that name: %+v", to)
	}
	if deleted := got(s.DeleteBareApp(ctx, "shop"))(t); deleted {
		t.Error("an app that somebody has linked is gone")
	}

	must(t, s.RemoveLink(ctx, "shop", "store"))
	if err := s.RemoveLink(ctx, "shop", "store"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a link that there is not: %v", err)
	}
	// A number, which is an address in machines, is not given again.
	if next := got(s.AddLink(ctx, core.Link{App: "shop", Target: "blog", Created: time.Now()}))(t); next.ID <= other.ID || next.ID <= first.ID {
		t.Errorf("the number %d is given again", next.ID)
	}
	must(t, s.DeleteApp(ctx, "store"))
	if _, err := s.Link(ctx, other.ID); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("a link to an app that is gone: %v", err)
	}
}

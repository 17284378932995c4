package coretest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

var errDead = errors.New("the process is dead")

// mortal is a ledger and a driver that die at their nth change. From then on nothing that this process does has any
// effect, as after a kill -9.
type mortal struct {
	*ledger.Ledger
	driver *fakeDriver

	mu   sync.Mutex
	n    int // changes until death
	dead bool
	at   string // the change that was no longer made
}

// change makes a change, unless the process is dead or dies now.
func (m *mortal) change(what string, make func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	m.n--
	if m.n > 0 {
		return make()
	}
	m.dead, m.at = true, what
	return errDead
}

func (m *mortal) isDead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func (m *mortal) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

func (m *mortal) AddRelease(ctx context.Context, r core.Release) (out core.Release, err error) {
	err = m.change("add "+string(r.State), func() error {
		out, err = m.Ledger.AddRelease(ctx, r)
		return err
	})
	return out, err
}

func (m *mortal) SaveRelease(ctx context.Context, r core.Release) error {
	return m.change(string(r.State), func() error { return m.Ledger.SaveRelease(ctx, r) })
}

func (m *mortal) Promote(ctx context.Context, r core.Release) error {
	return m.change("promote", func() error { return m.Ledger.Promote(ctx, r) })
}

func (m *mortal) SaveMachine(ctx context.Context, x core.Machine) error {
	return m.change("save machine", func() error { return m.Ledger.SaveMachine(ctx, x) })
}

func (m *mortal) DeleteMachine(ctx context.Context, id string) error {
	return m.change("delete machine", func() error { return m.Ledger.DeleteMachine(ctx, id) })
}

func (m *mortal) ChangeApp(ctx context.Context, name string, f func(*core.App) error) error {
	return m.change("change app", func() error { return m.Ledger.ChangeApp(ctx, name, f) })
}

func (m *mortal) Boot(ctx context.Context, s core.MachineSpec, w core.Watch) (out core.Machine, err error) {
	err = m.change("boot", func() error {
		out, err = m.driver.Boot(ctx, s, w)
		return err
	})
	return out, err
}

func (m *mortal) Adopt(ctx context.Context, id string, w core.Watch) (core.Machine, error) {
	return m.driver.Adopt(ctx, id, w)
}

func (m *mortal) Stop(ctx context.Context, id string, grace time.Duration) error {
	return m.change("stop", func() error { return m.driver.Stop(ctx, id, grace) })
}

func (m *mortal) Tell(ctx context.Context, id string, t core.Tell) error {
	return m.driver.Tell(ctx, id, t)
}

func (m *mortal) Restrict(ctx context.Context, id string, e core.Egress) error {
	return m.driver.Restrict(ctx, id, e)
}

func (m *mortal) List(ctx context.Context) ([]core.Machine, error) { return m.driver.List(ctx) }

// TestDeathAtEveryChange kills gitd before each change that a second push makes to the ledger or to the machines, which
// is also after the change before it. Whenever gitd dies, the next one serves what the ledger says, with its machines;
// no release is left in the middle; and the next push works.
func TestDeathAtEveryChange(t *testing.T) {
	push := func(w *world) { w.push(commit(1), commit(2)) }
	die(t, func(*world) {}, push, "add building", "built", "boot", "booting", "healthy", "save machine", "promote", "stop", "retired")
}

// TestDeathOfAFormation: the same with several machines of web and a worker.
func TestDeathOfAFormation(t *testing.T) {
	several := func(w *world) {
		w.withTypes("worker")
		w.push(commit(1), commit(2))
		w.scaled("web=2")
		w.eventually("the release before is over", func() bool {
			list, err := w.ledger.Unfinished(t.Context())
			return err == nil && len(list) == 0 && w.known() == w.wanted()
		})
	}
	push := func(w *world) { w.push(commit(2), commit(4)) }
	die(t, several, push, "boot", "save machine", "promote", "stop", "retired")
	scale := func(w *world) { w.scale("web=1", "worker=2") } //nolint:errcheck // gitd may die
	die(t, several, scale, "boot", "save machine", "change app", "stop")
}

// die kills gitd before each change of what do does, after first, and expects what TestDeathAtEveryChange promises.
// There must be deaths before these changes.
func die(t *testing.T, first, do func(w *world), before ...string) {
	t.Helper()
	seen := map[string]bool{}
	for n := 1; ; n++ {
		w := newWorld(t)
		w.push(none, commit(1))
		first(w)
		w.close()
		m := &mortal{driver: w.driver, n: n}
		w.openWith(func(c *engine.Config) {
			m.Ledger = w.ledger
			c.Ledger, c.Driver = m, m
		})
		do(w)
		w.eventually("death, or the end of what was there", func() bool {
			list, err := w.ledger.Unfinished(t.Context())
			return m.isDead() || err == nil && len(list) == 0 && w.driver.count() == w.wanted()
		})
		dead, at := m.isDead(), m.at
		m.die()
		w.close()
		seen[at] = true
		w.recovered(t, fmt.Sprintf("death number %d, at %q", n, at))
		if !dead {
			break
		}
	}
	for _, what := range before {
		if !seen[what] {
			t.Errorf("no death at %q: %v", what, seen)
		}
	}
}

// wanted is how many machines shop is to have.
func (w *world) wanted() int {
	w.t.Helper()
	app, err := w.ledger.App(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	live, err := w.ledger.Release(w.t.Context(), "shop", app.Live)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(app.Scale.Formation(live.Manifest))
}

// known is how many machines the ledger has.
func (w *world) known() int {
	w.t.Helper()
	list, err := w.ledger.Machines(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// recovered starts gitd again and checks what TestDeathAtEveryChange promises.
func (w *world) recovered(t *testing.T, when string) {
	t.Helper()
	w.open()
	w.eventually("the app serves after "+when, func() bool {
		app, err := w.ledger.App(t.Context(), "shop")
		return err == nil && app.Live > 0 && strings.HasPrefix(w.router.get(t, "shop"), fmt.Sprintf("v%d", app.Live))
	})
	w.eventually("what is wanted runs after "+when, func() bool { return w.driver.count() == w.wanted() && w.known() == w.wanted() })
	if list, err := w.ledger.Unfinished(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%s: unfinished: %+v, %v", when, list, err)
	}
	app, err := w.ledger.App(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	live, err := w.ledger.Release(t.Context(), "shop", app.Live)
	if err != nil {
		t.Fatal(err)
	}
	if p := w.pointOf("main"); p != live.Commit {
		t.Errorf("%s: main is at %s, live is %s", when, p, live.Commit)
	}
	if reject, out := w.push(live.Commit, commit(3)); reject != "" {
		t.Errorf("%s: the next push: %q\n%s", when, reject, out)
	}
	w.close()
	for _, m := range w.driver.all() {
		w.driver.Stop(context.Background(), m.ID, 0) //nolint:errcheck // it is the fake
	}
}

func (m *mortal) AddBaseUpdate(ctx context.Context, u core.BaseUpdate) (out core.BaseUpdate, err error) {
	err = m.change("add update", func() error {
		out, err = m.Ledger.AddBaseUpdate(ctx, u)
		return err
	})
	return out, err
}

func (m *mortal) SaveBaseMove(ctx context.Context, id int, move core.BaseMove, e core.Entry) error {
	return m.change("save move", func() error { return m.Ledger.SaveBaseMove(ctx, id, move, e) })
}

func (m *mortal) EndBaseUpdate(ctx context.Context, id int, at time.Time, e core.Entry) error {
	return m.change("end update", func() error { return m.Ledger.EndBaseUpdate(ctx, id, at, e) })
}

// TestDeathDuringUpdateOfBases kills gitd before each change that an update of the bases of two apps makes. Whenever it
// dies, the next gitd finishes the update, if it had begun, and every app serves.
func TestDeathDuringUpdateOfBases(t *testing.T) {
	seen := map[string]bool{}
	for n := 1; !seen[""]; n++ {
		w, b := basedWorld(t, "one", "two")
		w.close()
		m := &mortal{driver: w.driver, n: n}
		w.openWith(func(c *engine.Config) {
			m.Ledger = w.ledger
			c.Ledger, c.Driver, c.Bases = m, m, b
		})
		_, err := w.core.Bases.Update(t.Context(), root, core.BaseWish{}, nil)
		w.eventually("death, or the end of what was there", func() bool {
			list, err := w.ledger.Unfinished(t.Context())
			return m.isDead() || err == nil && len(list) == 0 && w.driver.count() == 2
		})
		dead, at := m.isDead(), m.at
		if !dead && err != nil {
			t.Fatal(err)
		}
		m.die()
		w.close()
		seen[at] = true
		w.openBased(b)
		w.finishesUpdate(fmt.Sprintf("death number %d, at %q", n, at), at != "add update")
		w.close()
		for _, m := range w.driver.all() {
			w.driver.Stop(context.Background(), m.ID, 0) //nolint:errcheck // it is the fake
		}
	}
	for _, what := range []string{"add update", "add built", "boot", "promote", "save move"} {
		if !seen[what] {
			t.Errorf("no death at %q: %v", what, seen)
		}
	}
}

// finishesUpdate waits until the update is over, if it had begun, and both apps serve from where they are to be.
func (w *world) finishesUpdate(when string, begun bool) {
	w.t.Helper()
	want := map[bool]string{true: "one:b2 two:b2", false: "one:b1 two:b1"}[begun]
	w.eventually("the apps are where they are to be after "+when, func() bool {
		all, err := w.core.Bases.Updates(w.t.Context())
		over := err == nil && (!begun || len(all) == 1 && !all[0].Ended.IsZero() && all[0].Count(core.BaseMoved) == 2)
		return over && w.bases() == want && w.driver.count() == 2 && w.known() == 2
	})
	for _, app := range []string{"one", "two"} {
		if got := w.router.get(w.t, app); !strings.HasPrefix(got, "v") {
			w.t.Errorf("%s: %s answers %q", when, app, got)
		}
	}
}

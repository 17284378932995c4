package quota

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// rules are what holds for one app, read before the lock is taken.
type rules struct {
	app, owner string
	own        []string // apps of the owner, this one among them
	ofApp      core.Quota
	ofOwner    core.Quota
	host       core.Resources
}

func (g *Gate) rules(ctx context.Context, app string) (r rules, err error) {
	a, err := g.cfg.Ledger.App(ctx, app)
	if err != nil {
		return r, err
	}
	r = rules{app: app, owner: a.Owner, host: g.cfg.Limits.Host}
	if r.ofApp, err = g.cfg.Ledger.AppQuota(ctx, app); err != nil {
		return r, err
	}
	r.ofApp = r.ofApp.Or(g.cfg.Limits.App)
	if r.owner == "" {
		return r, nil
	}
	if r.own, err = g.cfg.Ledger.Owned(ctx, r.owner); err != nil {
		return r, err
	}
	r.ofOwner, err = g.cfg.Ledger.UserQuota(ctx, r.owner)
	r.ofOwner = r.ofOwner.Or(g.cfg.Limits.User)
	return r, core.IgnoreMissing(err) // the owner has gone meanwhile
}

func (r rules) ofThis(app string) bool   { return app == r.app }
func (r rules) ofTheirs(app string) bool { return slices.Contains(r.own, app) }
func ofAll(string) bool                  { return true }

// Check says why app cannot have machines for these processes, or nil. sizes are those of machines that are to boot;
// the other processes keep what they have. What the app has now makes room, so that a release may take the place of
// another one. Less than there is now is never refused.
func (g *Gate) Check(ctx context.Context, app string, processes []core.ProcessID, sizes map[core.ProcessID]core.Resources) error {
	r, err := g.rules(ctx, app)
	if err != nil {
		return err
	}
	change := func(t sum) sum {
		for k, p := range g.places {
			if k.app == app && p.kept {
				t = t.with(p.size, -1)
			}
		}
		for _, process := range processes {
			size, ok := sizes[process]
			if p := g.places[key{app, process.String()}]; !ok && p != nil {
				size = p.size
			}
			t = t.with(size, 1)
		}
		return t
	}
	return couldFit(ctx, g, app, func(without apps) *refusal {
		return g.judge(r, without, change, func(next, now int64) bool { return next >= now })
	})
}

// CheckOne says why app cannot have one more machine of this size, or nil.
func (g *Gate) CheckOne(ctx context.Context, app string, size core.Resources) error {
	r, err := g.rules(ctx, app)
	if err != nil {
		return err
	}
	return couldFit(ctx, g, app, func(without apps) *refusal {
		return g.judge(r, without, func(t sum) sum { return t.with(size, 1) }, grows)
	})
}

func grows(next, now int64) bool { return next > now }

// judge compares what there would be after a change with what may be, if some apps had nothing. bad says of how much
// next and how much now what is too much is refused. The caller holds the lock.
func (g *Gate) judge(r rules, without apps, change func(sum) sum, bad func(next, now int64) bool) *refusal {
	for _, of := range []struct {
		apps  func(app string) bool
		quota core.Quota
		why   func(l core.Limited, next, most int64) error
	}{
		{r.ofThis, r.ofApp, r.appOver},
		{r.ofTheirs, r.ofOwner, r.ownerOver},
		{ofAll, hostQuota(r.host), nil},
	} {
		now := g.total(func(app string) bool { return of.apps(app) && !without[app] })
		next := change(now)
		for _, l := range []core.Limited{core.LimitMachines, core.LimitMemory, core.LimitCPUs} {
			most, ok := of.quota.Of(l)
			switch {
			case !ok || next.of(l) <= most:
			case of.why == nil && grows(next.of(l), now.of(l)):
				return &refusal{hostOver(r.app, l, next.of(l)-now.of(l), max(0, most-now.of(l))), of.apps, false, false}
			case of.why != nil && bad(next.of(l), now.of(l)):
				return &refusal{of.why(l, next.of(l), most), of.apps, false, false}
			}
		}
	}
	return nil
}

func hostQuota(host core.Resources) core.Quota {
	q := core.Quota{}
	if host.MemoryMiB > 0 {
		q[core.LimitMemory] = int64(host.MemoryMiB) << 20
	}
	if host.CPUs > 0 {
		q[core.LimitCPUs] = int64(host.CPUs)
	}
	return q
}

// less is what to type so that an app takes less of l.
func less(app string, l core.Limited) string {
	switch l {
	case core.LimitMemory:
		return fmt.Sprintf("`resource %s --memory` or `ps:scale %s` make it less, and `run:list %s` has commands beside it", app, app, app)
	case core.LimitCPUs:
		return fmt.Sprintf("`resource %s --cpus` or `ps:scale %s` make it less, and `run:list %s` has commands beside it", app, app, app)
	case core.LimitMachines:
		return fmt.Sprintf("`ps:scale %s` makes it less, and `run:stop %s MACHINE` ends a command of `run:list %s`", app, app, app)
	}
	return fmt.Sprintf("`releases:unpin %s`, `volumes:remove %s` and a smaller image make it less", app, app)
}

// over says how much next is, and most. What is printed as the same is not.
func over(l core.Limited, next, most int64) string {
	if l.Text(next) == l.Text(most) {
		return "a little more than " + l.Text(most) + ", which is the most that there may be"
	}
	return l.Text(next) + ", and may have " + l.Text(most)
}

func (r rules) appOver(l core.Limited, next, most int64) error {
	return full(core.Reject(r.app+" would have "+over(l, next, most),
		fmt.Sprintf("%s; an administrator can allow more: `quota %s --%s %s`", less(r.app, l), r.app, l, l.Words(next))))
}

func (r rules) ownerOver(l core.Limited, next, most int64) error {
	return full(core.Reject("the apps of "+r.owner+" together would have "+over(l, next, most),
		fmt.Sprintf("%s, or stop another app of %s; an administrator can allow more: `users:quota %s --%s %s`",
			less(r.app, l), r.owner, r.owner, l, l.Words(next))))
}

func hostOver(app string, l core.Limited, more, left int64) error {
	return full(core.Reject(fmt.Sprintf("the server has no room: %s needs %s more, and %s are left for machines", app, l.Text(more), l.Text(left)),
		less(app, l)+"; an operator can stop other apps, let them sleep (`sleep:set APP 15m`), or start gitd with another --max-"+string(l)))
}

// enter takes a place for a machine, or says why there is none. Every boot comes here. A machine that replaces another
// one of its process may wait until other apps have replaced theirs.
func (g *Gate) enter(ctx context.Context, k key, id string, size core.Resources) error {
	r, err := g.rules(ctx, k.app)
	if err != nil {
		return err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for begun := time.Now(); ; {
		wait, no := g.tryEnter(r, k, id, size)
		switch {
		case no != nil && makeRoom(ctx, g, r, k, size):
			continue
		case no != nil && (no.passes || mayClear(ctx, g, r, k, size, begun)):
			wait = soon()
		case no != nil:
			return cmp.Or(context.Cause(ctx), no.err)
		case wait == nil:
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
			return full(core.Reject(fmt.Sprintf("the server has no room to run the old and the new machine of %s (%s) at once", k.app,
				units.Bytes(int64(size.MemoryMiB)<<20)), "other apps are being replaced too: try again when they are"))
		}
	}
}

// tryEnter returns a channel that is closed when it is worth another try; nil: the place is taken, or there is none.
func (g *Gate) tryEnter(r rules, k key, id string, size core.Resources) (wait <-chan struct{}, no *refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if no := g.refuses(r, nil, k, size); no != nil {
		return nil, no
	}
	if p := g.places[k]; p != nil && len(p.machines) > 0 && !g.roomBeside(k.app, size.MemoryMiB) {
		return g.changed, nil
	}
	g.put(k, id, size)
	g.young[id] = young{time.Now(), size.MemoryMiB}
	return nil, nil
}

// refuses says why there is no place for one more machine, if some apps had none; nil: there is. The caller holds the
// lock.
func (g *Gate) refuses(r rules, without apps, k key, size core.Resources) *refusal {
	had, next := core.Resources{}, size
	if p := g.places[k]; p != nil {
		had, next = p.size, p.largest(size)
	}
	if no := g.judge(r, without, func(t sum) sum { return t.with(had, -1).with(next, 1) }, grows); no != nil {
		return no
	}
	return short(g, without, k.app, size)
}

// put is the end of tryEnter, and all there is for a machine that runs already.
func (t *table) put(k key, id string, size core.Resources) {
	p := t.place(k)
	p.size = p.largest(size)
	p.machines[id] = size
	t.at[id] = k
}

// besideShare is the part of the memory of all machines that there may be in addition while machines are replaced.
const besideShare = 8

// roomBeside reports whether a machine may run beside the one that it replaces. It may if there is room, if the app has
// begun to replace its machines, or if no other app does: so each gets on, and none waits for one that waits. Otherwise
// the apps that are replaced must not need more than a part of what there is. The caller holds the lock.
func (g *Gate) roomBeside(app string, mib int) bool {
	most := g.cfg.Limits.Host.MemoryMiB
	if most == 0 || g.real()+mib <= most {
		return true
	}
	others := g.replacing()
	if _, begun := others[app]; begun || len(others) == 0 {
		return true
	}
	all := g.total(func(name string) bool { return name == app }).MemoryMiB
	for _, n := range others {
		all += n
	}
	return all <= most/besideShare
}

// Reserve takes a place for a process of which no machine runs, before any machine boots: so the order in which it is
// called is that in which places are given.
func (g *Gate) Reserve(ctx context.Context, app string, process core.ProcessID, size core.Resources) error {
	r, err := g.rules(ctx, app)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.place(key{app, process.String()})
	if len(p.machines) > 0 || p.size != (core.Resources{}) {
		return nil
	}
	if no := g.judge(r, nil, func(t sum) sum { return t.with(size, 1) }, grows); no != nil {
		return no.err
	}
	p.size = size
	return nil
}

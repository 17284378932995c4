package deploy

import (
	"context"
	"fmt"
	"time"
)

const (
	reviveFirst = time.Second
	reviveMost  = time.Minute
	// settled is how long a machine must have served for its end to be news
	// and not part of a crash loop.
	settled = time.Minute
)

// promote makes inst the live machine of rel: ledger, then front door, then
// the old machine drains in the background.
func (d *Deployer) promote(ctx context.Context, inst *instance, rel Release) error {
	if err := d.cfg.Ledger.SaveMachine(ctx, inst.copyMachine()); err != nil {
		return err
	}
	if err := d.cfg.Ledger.Promote(ctx, rel); err != nil {
		return err
	}
	d.front(inst)
	return nil
}

// front sends an app's traffic to inst and retires what served it before.
func (d *Deployer) front(inst *instance) {
	old := d.serve(inst)
	drain := d.cfg.Router.Switch(inst.release.App, inst.addr())
	inst.onGone(func(reason string) { d.lost(inst, reason) })
	if old == nil {
		return
	}
	d.goWork(func(ctx context.Context) { d.retire(ctx, old, drain) })
}

// retire drains a replaced machine and stops it. When gitd ends meanwhile
// the machine is left to the next process.
func (d *Deployer) retire(ctx context.Context, old *instance, drain func(context.Context)) {
	bound, cancel := context.WithTimeout(ctx, d.cfg.DrainTimeout)
	defer cancel()
	start := time.Now()
	drain(bound)
	if ctx.Err() != nil {
		return
	}
	d.cfg.Log.Info("machine drained", "machine", old.id(), "took", time.Since(start))
	d.stop(ctx, old.id(), d.cfg.StopGrace)
}

// lost handles the end of a machine that nobody asked to end. If it served
// its app, the app is down until another machine of the release is healthy.
func (d *Deployer) lost(inst *instance, reason string) {
	if d.life.Err() != nil || !d.unserve(inst) {
		return
	}
	app := inst.release.App
	d.cfg.Router.Down(app, "its machine ended: "+reason)
	d.cfg.Log.Warn("machine lost", "app", app, "machine", inst.id(), "reason", reason)
	d.record(d.life, app, "gitd", "machine.lost", reason)
	d.stop(d.life, inst.id(), 0)
	wait := reviveFirst
	if time.Since(inst.copyMachine().Started) > settled {
		wait = 0
	}
	d.goWork(func(ctx context.Context) { d.revive(ctx, app, wait) })
}

// revive boots the live release of app, again and again with growing pauses,
// until it serves or a push has put another machine there.
func (d *Deployer) revive(ctx context.Context, app string, wait time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		err := d.bootLive(ctx, app)
		if err == nil || ctx.Err() != nil {
			return
		}
		wait = min(max(2*wait, reviveFirst), reviveMost)
		d.cfg.Log.Error("app does not come back", "app", app, "error", err, "next_try", wait)
		d.cfg.Router.Down(app, fmt.Sprintf("it does not start: %s; next try in %s", oneLine(err.Error()), wait))
	}
}

// bootLive starts the live release of app unless something serves it.
func (d *Deployer) bootLive(ctx context.Context, app string) error {
	unlock, err := d.locks.acquire(ctx, app, "the restart of its machine", nil)
	if err != nil {
		return err
	}
	defer unlock()
	if d.serving(app) {
		return nil
	}
	a, err := d.cfg.Ledger.App(ctx, app)
	if err != nil {
		return err
	}
	rel, err := d.cfg.Ledger.Release(ctx, app, a.Live)
	if err != nil {
		return err
	}
	inst, err := d.boot(ctx, rel, NewReport(nil))
	if err != nil {
		return err
	}
	if err := d.cfg.Ledger.SaveMachine(ctx, inst.copyMachine()); err != nil {
		return err
	}
	d.front(inst)
	d.record(ctx, app, "gitd", "machine.started", inst.id())
	d.cfg.Log.Info("machine started", "app", app, "release", rel.Version, "machine", inst.id())
	return nil
}

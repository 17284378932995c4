package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitd/internal/core"
	"gitd/internal/progress"
)

const (
	reviveFirst = time.Second
	reviveMost  = time.Minute
	// settled is how long a machine must have served for its end to be news
	// and not part of a crash loop.
	settled = time.Minute
)

// lost handles the end of a machine that nobody asked to end, or its silence.
// If it served its app, the app is down until another machine of the release
// is healthy.
func (d *Deployer) lost(k *keeper, inst *instance, reason string) {
	if d.life.Err() != nil || !k.unserve(inst) {
		return
	}
	app := k.name()
	d.down(k, "its machine ended: "+progress.OneLine(reason), true)
	d.cfg.Log.Warn("machine lost", "app", app, "machine", inst.id(), "reason", reason)
	d.record(d.life, app, "gitd", "machine.lost", inst.id()+": "+progress.OneLine(reason))
	wait := k.lost(inst)
	d.stop(d.life, inst.id(), 0) //nolint:errcheck // logged; the next start removes it
	d.revive(k, wait)
}

// crashed notes that an app ended in its machine, whose init starts it again.
func (d *Deployer) crashed(k *keeper, inst *instance, how string, succession int) {
	if d.life.Err() != nil || k.current() != inst {
		return
	}
	d.cfg.Log.Warn("app crashed", "app", k.name(), "machine", inst.id(), "how", how, "in_succession", succession)
	d.record(d.life, k.name(), "gitd", "app.crashed", fmt.Sprintf("%s: %s; number %d in succession", inst.id(), progress.OneLine(how), succession))
}

// down makes the front door say why nothing serves the app.
func (d *Deployer) down(k *keeper, reason string, starting bool) {
	k.down(reason, starting)
	d.cfg.Router.Down(k.name(), reason)
}

// revive boots the live release of an app in the background, again and again
// with growing pauses, until something serves the app or nothing shall.
func (d *Deployer) revive(k *keeper, wait time.Duration) {
	if !k.beginRevival() {
		return
	}
	d.goWork(func(ctx context.Context) {
		for {
			d.tryRevival(ctx, k, wait)
			if ctx.Err() != nil || k.endRevival() {
				return
			}
			wait = 0
		}
	})
}

func (d *Deployer) tryRevival(ctx context.Context, k *keeper, wait time.Duration) {
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		err := d.reviveOnce(ctx, k)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, errYielded):
			// Whoever wanted the stage has it now: look again after it.
			wait, n = 0, 0
		default:
			wait = pause(n + 1)
			d.cfg.Log.Error("app does not come back", "app", k.name(), "error", err, "next_try", wait.String())
			d.record(ctx, k.name(), "gitd", "machine.failed", progress.OneLine(err.Error()))
			d.down(k, fmt.Sprintf("it does not start: %s; next try in %s", progress.OneLine(err.Error()), wait), true)
		}
	}
}

// reviveOnce is one try, in one of the places that there are for machines
// that start side by side.
func (d *Deployer) reviveOnce(ctx context.Context, k *keeper) error {
	select {
	case d.boots <- struct{}{}:
		defer func() { <-d.boots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lent, release, err := k.stage.lend(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := d.bootLive(lent, k, progress.NewReport(nil)); err != nil {
		if lent.Err() != nil && ctx.Err() == nil {
			return errYielded
		}
		return err
	}
	return nil
}

// bootLive starts the live release of an app, unless something serves it or
// nothing shall. The caller holds the stage.
func (d *Deployer) bootLive(ctx context.Context, k *keeper, r *progress.Report) error {
	if k.current() != nil {
		return nil
	}
	a, err := d.cfg.Ledger.App(ctx, k.name())
	if err != nil || a.Live == 0 || a.Stopped {
		return ignoreMissing(err)
	}
	rel, err := d.cfg.Ledger.Release(ctx, a.Name, a.Live)
	if err != nil {
		return err
	}
	spec, err := d.spec(ctx, rel)
	if err != nil {
		return err
	}
	inst, err := d.boot(ctx, spec, rel, r)
	if err != nil {
		k.didNotStart(ctx, inst)
		return err
	}
	if err := d.cfg.Ledger.SaveMachine(ctx, inst.copyMachine()); err != nil {
		d.stop(context.WithoutCancel(ctx), inst.id(), 0) //nolint:errcheck // logged; the next start removes it
		return err
	}
	d.front(k, inst)
	d.record(ctx, a.Name, "gitd", "machine.started", inst.id())
	d.cfg.Log.Info("machine started", "app", a.Name, "release", rel.Version, "machine", inst.id())
	return nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, core.ErrNotFound) {
		return nil
	}
	return err
}

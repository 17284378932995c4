package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// settled is how long a machine, or an app in it, must have run so that its end does not count as part of a crash loop.
const settled = time.Minute

// lost handles a machine that is silent, or that ended although nobody asked it to. If it served its app, the app is
// down until another machine of the release is healthy.
func (k *keeper) lost(inst *Instance, reason string) {
	f, life := k.f, k.f.cfg.Work.Context()
	if life.Err() != nil || !k.unserve(inst) {
		return
	}
	app, reason := k.name(), progress.OneLine(reason)
	k.goDown("its machine ended: "+reason, true)
	f.cfg.Log.Warn("machine lost", "app", app, "machine", inst.ID(), "reason", reason)
	f.cfg.Trail.Note(life, app, "gitd", "machine.lost", inst.ID()+": "+reason)
	f.observe(core.AtLost, inst, reason)
	wait := k.countLoss(inst)
	f.booter.stop(life, inst.ID(), 0) //nolint:errcheck // logged; the next start removes it
	k.revive(wait)
}

// crashed notes that an app has ended in its machine, where init starts it again.
func (k *keeper) crashed(inst *Instance, how string, succession int) {
	life := k.f.cfg.Work.Context()
	if life.Err() != nil || k.current() != inst {
		return
	}
	k.f.cfg.Log.Warn("app crashed", "app", k.name(), "machine", inst.ID(), "how", how, "in_succession", succession)
	k.f.cfg.Trail.Note(life, k.name(), "gitd", "app.crashed",
		fmt.Sprintf("%s: %s; number %d in succession", inst.ID(), progress.OneLine(how), succession))
}

// revive boots the live release of the app in the background, again and again with growing pauses, until a machine
// serves the app, or the app is stopped or destroyed.
func (k *keeper) revive(wait time.Duration) {
	if !k.revival.begin() {
		return
	}
	k.f.cfg.Work.Go(func(ctx context.Context) {
		for {
			k.tryRevival(ctx, wait)
			if ctx.Err() != nil || k.revival.end() {
				return
			}
			wait = 0
		}
	})
}

func (k *keeper) tryRevival(ctx context.Context, wait time.Duration) {
	for n := 1; ; n++ {
		if background.Sleep(ctx, wait) != nil {
			return
		}
		err := k.reviveOnce(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, errYielded):
			// Somebody else wanted the stage and has it now: look again after that.
			wait, n = 0, 0
		default:
			wait = background.Pause(n + 1)
			k.notRevived(ctx, err, wait)
		}
	}
}

// notRevived notes in the log, in the audit and at the front door that a revival failed, and when the next attempt
// comes.
func (k *keeper) notRevived(ctx context.Context, err error, wait time.Duration) {
	why := forEverybody(err)
	k.f.cfg.Log.Error("app does not come back", "app", k.name(), "error", why, "next_try", wait.String())
	k.f.cfg.Trail.Note(ctx, k.name(), "gitd", "machine.failed", why)
	k.goDown(fmt.Sprintf("it does not start: %s; next try in %s", why, wait), true)
}

// reviveOnce makes one attempt, and takes one of the places for machines that start side by side.
func (k *keeper) reviveOnce(ctx context.Context) error {
	select {
	case k.f.boots <- struct{}{}:
		defer func() { <-k.f.boots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lent, release, err := k.stage.lend(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := k.bootLive(lent, progress.NewReport(nil)); err != nil {
		if lent.Err() != nil && ctx.Err() == nil {
			return errYielded
		}
		return err
	}
	return nil
}

// bootLive starts the live release of the app, unless a machine serves it already, or the app is stopped, destroyed or
// has no live release. The caller holds the stage.
func (k *keeper) bootLive(ctx context.Context, r *progress.Report) error {
	if k.current() != nil || k.ended() {
		return nil
	}
	f := k.f
	a, err := f.cfg.Ledger.App(ctx, k.name())
	if err != nil || a.Live == 0 || a.Stopped {
		return core.IgnoreMissing(err)
	}
	rel, err := f.cfg.Ledger.Release(ctx, a.Name, a.Live)
	if err != nil {
		return err
	}
	spec, err := f.Spec(ctx, rel)
	if err != nil {
		return err
	}
	inst, err := f.Boot(ctx, spec, rel, r)
	if err != nil {
		k.didNotStart(ctx, inst)
		return err
	}
	if err := f.cfg.Ledger.SaveMachine(ctx, inst.Machine()); err != nil {
		f.Discard(inst)
		return err
	}
	k.front(inst)
	f.cfg.Label(ctx, a.Name)
	f.cfg.Trail.Note(ctx, a.Name, "gitd", "machine.started", inst.ID())
	f.cfg.Log.Info("machine started", "app", a.Name, "release", rel.Version, "machine", inst.ID())
	f.observe(core.AtStarted, inst, "")
	return nil
}

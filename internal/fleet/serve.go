package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Serve sends app's traffic to candidate, which the ledger has as live. What served before drains in the background
// and stops, and before, the release that was live (0: none), is retired with it. The caller holds the stage.
func (f *Fleet) Serve(app string, candidate *Instance, before int) {
	k := f.keeper(app)
	k.calm()
	old, drain := k.front(candidate)
	k.drains.add()
	begun := f.cfg.Work.Go(func(ctx context.Context) {
		defer k.drains.done()
		k.retire(ctx, before, old, drain)
	})
	if !begun {
		k.drains.done() // the next process finds the release draining
	}
}

// StopFirst stops what serves app, with its requests held until the next Serve, because its volume belongs to one
// machine at a time. The caller holds the stage, and must Restore if nothing takes the machine's place.
func (f *Fleet) StopFirst(ctx context.Context, app string, r *progress.Report) error {
	k := f.keeper(app)
	// A machine that was replaced earlier may still have the volume.
	err := k.drains.wait(ctx, func() { r.Step("Waiting for the machine before it to end its requests and stop") })
	if err != nil {
		return err
	}
	old := k.current()
	if !k.unserve(old) {
		return nil
	}
	r.Step("Stopping v%d first: its volume belongs to one machine at a time; requests wait meanwhile", old.release.Version)
	k.down("it is being replaced", true)
	k.hold(ctx)
	if err := f.booter.stop(ctx, old.ID(), f.cfg.Limits.Grace); err != nil {
		k.front(old)
		return fmt.Errorf("v%d does not stop: %w", old.release.Version, err)
	}
	r.Lap("stop")
	return nil
}

// Restore brings app's live release, which has this version, back after StopFirst. It is tried again in the
// background if it does not start.
func (f *Fleet) Restore(ctx context.Context, app string, version int, r *progress.Report) {
	k := f.keeper(app)
	r.Warn("v%d is started again", version)
	if err := k.bootLive(ctx, progress.NewReport(nil)); err != nil {
		f.cfg.Log.Error("live release does not come back", "app", app, "release", version, "error", err)
		r.Warn("v%d does not start either: %v; gitd goes on trying", version, err)
		k.goDown("it does not start: "+progress.OneLine(err.Error()), true)
		k.revive(background.FirstPause)
		return
	}
	r.Detail("v%d serves again", version)
}

// hold has the front door keep new requests until the next Switch or Down, and waits for those that run.
func (k *keeper) hold(ctx context.Context) {
	limits := k.f.cfg.Limits
	drain := k.f.cfg.Router.Hold(k.name(), limits.Hold)
	// A request that never ends, as a WebSocket is one, must not use up the time of those that wait.
	bound, cancel := context.WithTimeout(ctx, min(limits.Drain, limits.Hold/3))
	defer cancel()
	drain(bound)
}

// front sends the app's traffic to inst, and returns what served it before and the wait for its requests.
func (k *keeper) front(inst *Instance) (old *Instance, drain func(context.Context)) {
	old = k.serve(inst)
	drain = k.f.cfg.Router.Switch(k.name(), inst.Addr())
	inst.on(hooks{
		gone:    func(reason string) { k.lost(inst, reason) },
		crashed: func(how string, succession int) { k.crashed(inst, how, succession) },
	})
	return old, drain
}

// retire drains a replaced machine, if there is one, stops it, and then the release is over. When gitd ends
// meanwhile, the rest is left to the next process.
func (k *keeper) retire(ctx context.Context, version int, old *Instance, drain func(context.Context)) {
	if old != nil {
		bound, cancel := context.WithTimeout(ctx, k.f.cfg.Limits.Drain)
		defer cancel()
		start := time.Now()
		drain(bound)
		if ctx.Err() != nil {
			return
		}
		k.f.cfg.Log.Info("machine drained", "machine", old.ID(), "took", time.Since(start))
		k.f.observe(core.AtDrained, old, "")
		for n := 1; k.f.booter.stop(ctx, old.ID(), k.f.cfg.Limits.Grace) != nil; n++ {
			if background.Sleep(ctx, background.Pause(n)) != nil {
				return
			}
		}
	}
	if version > 0 {
		k.f.retired(k.name(), version)
	}
}

// retired ends the life of a release that drained.
func (f *Fleet) retired(app string, version int) {
	f.cfg.Work.Retry(f.cfg.Log, "the end of a release", func(ctx context.Context) error {
		r, err := f.cfg.Ledger.Release(ctx, app, version)
		if err != nil || r.State != core.Draining {
			return core.IgnoreMissing(err)
		}
		r.State = core.Retired
		if err := f.cfg.Ledger.SaveRelease(ctx, r); err != nil {
			return err
		}
		f.cfg.Log.Info("release retired", "app", app, "release", version)
		f.cfg.Observe(core.Transition{Moment: core.AtRetired, App: app, Release: version})
		return nil
	})
}

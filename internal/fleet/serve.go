package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Serve sends app's traffic to candidate, whose release the ledger has as live. The machine that served until now
// drains in the background and stops; then its release, which has the version before (0: there was none), is retired.
// The caller holds the stage.
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

// StopFirst stops the machine that serves app, because its volume belongs to one machine at a time. Requests wait until
// the next Serve. The caller holds the stage, and must call Restore if no other machine takes its place.
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

// Restore starts app's live release, which has this version, again after StopFirst. If it does not start, further
// attempts follow in the background.
func (f *Fleet) Restore(ctx context.Context, app string, version int, r *progress.Report) {
	k := f.keeper(app)
	r.Warn("v%d is started again", version)
	if err := k.bootLive(ctx, progress.NewReport(nil)); err != nil {
		f.cfg.Log.Error("live release does not come back", "app", app, "release", version, "error", err)
		r.Warn("v%d does not start either: %v; gitd goes on trying", version, err)
		k.goDown("it does not start: "+forEverybody(err), true)
		k.revive(background.FirstPause)
		return
	}
	r.Detail("v%d serves again", version)
}

// hold makes the front door keep new requests until the next Switch or Down, and waits for the requests that run.
func (k *keeper) hold(ctx context.Context) {
	limits := k.f.cfg.Limits
	drain := k.f.cfg.Router.Hold(k.name(), limits.Hold)
	// A request that never ends, such as a WebSocket, must not use up the time of the requests that wait.
	bound, cancel := context.WithTimeout(ctx, min(limits.Drain, limits.Hold/3))
	defer cancel()
	drain(bound)
}

// front sends the app's traffic to inst. It returns the machine that served the app before, and a function that waits
// for its requests.
func (k *keeper) front(inst *Instance) (old *Instance, drain func(context.Context)) {
	old = k.serve(inst)
	drain = k.f.cfg.Router.Switch(k.name(), inst.Addr())
	inst.on(hooks{
		gone:    func(reason string) { k.lost(inst, reason) },
		crashed: func(how string, succession int) { k.crashed(inst, how, succession) },
	})
	return old, drain
}

// retire drains and stops a replaced machine, if there is one, and then marks its release as retired. If gitd ends in
// the meantime, the next process does the rest.
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

// retired marks a draining release as retired.
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

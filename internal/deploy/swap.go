package deploy

import (
	"context"
	"fmt"
	"time"

	"gitd/internal/core"
	"gitd/internal/progress"
)

// swap makes a healthy candidate live. From here on nothing replaces the
// deployment.
func (j *deployment) swap(ctx context.Context, inst *instance) error {
	if err := j.step(ctx, core.Healthy); err != nil {
		return err
	}
	if err := j.k.queue.fix(ctx, j.turn); err != nil {
		return err
	}
	j.report.Step("Switching traffic")
	if err := j.recordBranch(ctx); err != nil {
		return err
	}
	release, err := j.k.stage.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	return j.goLive(ctx, inst)
}

// goLive moves the traffic: the ledger, then the front door, then the old
// machine drains in the background. After a crash in between, the next
// process finds the new release live and routes to it. The caller holds the
// stage.
func (j *deployment) goLive(ctx context.Context, inst *instance) error {
	before := j.app.Live
	j.release.Finished, j.release.Steps = time.Now(), j.report.Steps()
	if err := j.promote(ctx, inst); err != nil {
		return err
	}
	j.k.calm()
	old, drain := j.d.front(j.k, inst)
	j.k.drains.Add(1)
	j.d.goWork(func(ctx context.Context) {
		defer j.k.drains.Done()
		j.d.retire(ctx, j.k, before, old, drain)
	})
	j.report.Lap("swap")
	j.d.cfg.Log.Info("release is live", "app", j.app.Name, "release", j.release.Version,
		"commit", j.release.Commit, "pusher", j.by.Name, "steps", j.times())
	return nil
}

// promote makes the release live in the ledger, and the deploy branch with
// it: the branch is made ready before, so that a full disk cannot have git
// reject what is live.
func (j *deployment) promote(ctx context.Context, inst *instance) error {
	var move core.RefMove = core.NoMove{}
	var err error
	if !j.shallow {
		if move, err = j.d.cfg.Repos.Prepare(ctx, j.app.Name, j.app.Branch, j.release.Commit); err != nil {
			return err
		}
	}
	if err = j.d.cfg.Ledger.SaveMachine(ctx, inst.copyMachine()); err == nil {
		err = j.d.cfg.Ledger.Promote(ctx, j.release)
	}
	if err != nil {
		move.Abort()
		return err
	}
	j.release.State = core.Live
	j.moved()
	if err := move.Commit(); err != nil { // RepairRefs does it again
		j.d.cfg.Log.Error("branch not moved to what is live", "app", j.app.Name, "error", err)
	}
	return nil
}

// stopFirst replaces a machine that cannot run beside the next one: the front
// door holds the app's requests, the old machine stops, the new one starts.
// If it does not become healthy, the old release is started again.
func (j *deployment) stopFirst(ctx context.Context, spec core.MachineSpec) error {
	if err := j.k.queue.fix(ctx, j.turn); err != nil {
		return err
	}
	if err := j.recordBranch(ctx); err != nil {
		return err
	}
	release, err := j.k.stage.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := j.stopOld(ctx); err != nil {
		return err
	}
	inst, err := j.d.boot(ctx, spec, j.release, j.report)
	if err == nil {
		if err = j.step(ctx, core.Healthy); err == nil {
			err = j.goLive(ctx, inst)
		}
		if err != nil {
			j.d.stop(context.WithoutCancel(ctx), inst.id(), 0) //nolint:errcheck // logged; the next start removes it
		}
	}
	if err != nil {
		j.restore(ctx)
	}
	return err
}

// stopOld stops what serves the app, with its requests held.
func (j *deployment) stopOld(ctx context.Context) error {
	j.k.drains.Wait() // an older machine may still have the disk
	old := j.k.current()
	if !j.k.unserve(old) {
		return nil
	}
	j.report.Step("Stopping v%d first: its volume belongs to one machine at a time; requests wait meanwhile", old.release.Version)
	j.k.down("it is being replaced", true)
	j.hold(ctx)
	if err := j.d.stop(ctx, old.id(), j.d.cfg.StopGrace); err != nil {
		j.d.front(j.k, old)
		return fmt.Errorf("v%d does not stop: %w", old.release.Version, err)
	}
	j.report.Lap("stop")
	return nil
}

// hold has the front door keep new requests until the next Switch or Down,
// and waits for those that run.
func (j *deployment) hold(ctx context.Context) {
	drain := j.d.cfg.Router.Hold(j.app.Name, j.d.cfg.HoldTimeout)
	// A request that never ends, as a WebSocket is one, must not use up the
	// time that those which wait have.
	bound, cancel := context.WithTimeout(ctx, min(j.d.cfg.DrainTimeout, j.d.cfg.HoldTimeout/3))
	defer cancel()
	drain(bound)
}

// restore brings the live release back after stopFirst has failed.
func (j *deployment) restore(ctx context.Context) {
	if j.app.Live == 0 || j.app.Stopped || ctx.Err() != nil {
		return
	}
	j.report.Warn("v%d is started again", j.app.Live)
	if err := j.d.bootLive(ctx, j.k, progress.NewReport(nil)); err != nil {
		j.d.cfg.Log.Error("live release does not come back", "app", j.app.Name, "release", j.app.Live, "error", err)
		j.report.Warn("v%d does not start either: %v; gitd goes on trying", j.app.Live, err)
		j.d.down(j.k, "it does not start: "+progress.OneLine(err.Error()), true)
		j.d.revive(j.k, reviveFirst)
		return
	}
	j.report.Detail("v%d serves again", j.app.Live)
}

// front sends an app's traffic to inst, and returns what served it before and
// the wait for its requests.
func (d *Deployer) front(k *keeper, inst *instance) (old *instance, drain func(context.Context)) {
	old = k.serve(inst)
	drain = d.cfg.Router.Switch(k.name(), inst.addr())
	inst.on(hooks{
		gone:    func(reason string) { d.lost(k, inst, reason) },
		crashed: func(how string, succession int) { d.crashed(k, inst, how, succession) },
	})
	return old, drain
}

// retire drains a replaced machine, if there is one, stops it, and then the
// release is over. When gitd ends meanwhile, the rest is left to the next
// process.
func (d *Deployer) retire(ctx context.Context, k *keeper, version int, old *instance, drain func(context.Context)) {
	if old != nil {
		bound, cancel := context.WithTimeout(ctx, d.cfg.DrainTimeout)
		defer cancel()
		start := time.Now()
		drain(bound)
		if ctx.Err() != nil {
			return
		}
		d.cfg.Log.Info("machine drained", "machine", old.id(), "took", time.Since(start))
		for n := 1; d.stop(ctx, old.id(), d.cfg.StopGrace) != nil; n++ {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause(n)):
			}
		}
	}
	if version > 0 {
		d.retired(k.name(), version)
	}
}

// retired ends the life of a release that drained.
func (d *Deployer) retired(app string, version int) {
	d.persist("the end of a release", func(ctx context.Context) error {
		r, err := d.cfg.Ledger.Release(ctx, app, version)
		if err != nil || r.State != core.Draining {
			return ignoreMissing(err)
		}
		r.State = core.Retired
		if err := d.cfg.Ledger.SaveRelease(ctx, r); err != nil {
			return err
		}
		d.cfg.Log.Info("release retired", "app", app, "release", version)
		return nil
	})
}

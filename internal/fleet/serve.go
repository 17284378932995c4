package fleet

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Serve sends app's traffic to the machines of a formation, whose release the ledger has as live. The machines that ran
// until now drain in the background and stop; then their release, which has the version before (0: there was none), is
// retired. The caller holds the stage.
func (f *Fleet) Serve(app string, made *Formation, before int) {
	k := f.keeper(app)
	left := append(k.take(made), k.posts.keepOnly(made.processes())...)
	k.keep(made, left)
	k.posts.calm()
	drain := k.direct()
	made.watch(k)
	k.restrict(context.Background())
	k.retireSoon(before, left, drain)
}

// watch has the keeper told what becomes of the machines.
func (m *Formation) watch(k *keeper) {
	for _, inst := range m.machines {
		p := k.posts.of(inst.process)
		inst.on(hooks{
			gone:    func(reason string) { p.lost(inst, reason) },
			crashed: func(how string, succession int) { p.crashed(inst, how, succession) },
		})
	}
}

// Scale brings what runs of an app, whose live release is rel, to another scale: machines that are missing are booted,
// store stores the scale, and then those that are too many drain and stop in the background. If a machine does not
// become healthy, nothing changes. The caller holds the stage.
func (f *Fleet) Scale(
	ctx context.Context, rel core.Release, scale core.Scale, store func(context.Context) error, r *progress.Report,
) error {
	k := f.keeper(rel.App)
	has := map[core.ProcessID]bool{}
	for _, p := range k.posts.all() {
		has[p.process] = true
	}
	l, err := f.booter.lineup(ctx, rel, scale, func(process core.ProcessID) bool { return !has[process] })
	if err != nil {
		return err
	}
	if err := cmp.Or(l.checkHost(f.cfg.Capacity), l.admitted(ctx, f.cfg.Places)); err != nil {
		return err
	}
	if l.Exclusive() { // the machine that had the volume may be ending
		if err := k.drains.Wait(ctx, func() { r.Step("Waiting for a machine that was replaced to stop") }); err != nil {
			return err
		}
	}
	made := &Formation{}
	if len(l.specs) > 0 {
		if made, err = f.Boot(ctx, l, r); err != nil {
			return err
		}
	}
	if err = f.booter.save(ctx, made); err == nil {
		err = store(ctx)
	}
	if err != nil {
		f.Discard(made)
		return err
	}
	left := k.posts.keepOnly(scale.Formation(rel.Manifest))
	k.take(made)
	drain := k.direct()
	made.watch(k)
	k.retireSoon(0, left, drain)
	return nil
}

// beingReplaced is why a post has no machine from StopFirst until the next Serve, or Restore.
const beingReplaced = "it is being replaced"

// StopFirst stops the machine of app that has its volume, because that belongs to one machine at a time. Requests wait
// until the next Serve. The caller holds the stage, and must call Restore if no other machine takes its place.
func (f *Fleet) StopFirst(ctx context.Context, app string, r *progress.Report) error {
	k := f.keeper(app)
	// A machine that was replaced earlier may still have the volume.
	err := k.drains.Wait(ctx, func() { r.Step("Waiting for the machine before it to end its requests and stop") })
	if err != nil {
		return err
	}
	for _, old := range k.posts.instances() {
		if holder, ok := old.release.Manifest.VolumeHolder(); ok && holder == old.process {
			return k.stopFirst(ctx, k.posts.of(holder), old, r)
		}
	}
	return nil
}

func (k *keeper) stopFirst(ctx context.Context, p *post, old *Instance, r *progress.Report) error {
	if !p.unserve(old) {
		return nil
	}
	p.down(beingReplaced, true)
	const first = "Stopping v%d first: its volume belongs to one machine at a time"
	if p.process.IsWeb() {
		r.Step(first+"; requests wait meanwhile", old.release.Version)
		k.hold(ctx)
	} else {
		r.Step(first, old.release.Version)
	}
	if err := k.f.booter.stop(ctx, old.ID(), k.f.cfg.Limits.Grace); err != nil {
		k.front(&Formation{[]*Instance{old}})
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
	for _, p := range k.posts.all() {
		if _, why := p.state(); why != beingReplaced {
			continue // it runs, or is revived
		}
		if err := p.bootLive(ctx); err != nil {
			f.cfg.Log.Error("live release does not come back", "app", app, "release", version, "error", err)
			r.Warn("v%d does not start either: %v; gitd goes on trying", version, err)
			p.goDown("it does not start: "+forEverybody(err), true)
			p.revive(background.FirstPause)
			return
		}
	}
	r.Detail("v%d serves again", version)
}

// hold makes the front door keep new requests until the next Switch or Down, and waits for the requests that run.
func (k *keeper) hold(ctx context.Context) {
	limits := k.f.cfg.Limits
	drain := k.f.cfg.Router.Hold(k.name(), limits.Hold, nil)
	// A request that never ends, such as a WebSocket, must not use up the time of the requests that wait.
	bound, cancel := context.WithTimeout(ctx, min(limits.Drain, limits.Hold/3))
	defer cancel()
	drain(bound)
}

// front puts machines in their posts, in addition to those that run, and sends the app's traffic to all.
func (k *keeper) front(made *Formation) {
	k.take(made)
	k.direct()
	made.watch(k)
}

// retireSoon does in the background what retire does.
func (k *keeper) retireSoon(version int, left []*Instance, drain func(context.Context)) {
	if version == 0 && len(left) == 0 {
		return
	}
	k.drains.Add()
	begun := k.f.cfg.Work.Go(func(ctx context.Context) {
		defer k.drains.Done()
		k.retire(ctx, version, left, drain)
	})
	if !begun {
		k.drains.Done() // the next process finds the release draining
	}
}

// retire drains and stops machines that were replaced, and then marks their release as retired; version 0: none is. A
// worker has no requests to end: it stops at once. If gitd ends in the meantime, the next process does the rest.
func (k *keeper) retire(ctx context.Context, version int, left []*Instance, drain func(context.Context)) {
	drained := make(chan struct{})
	var all sync.WaitGroup
	for _, inst := range left {
		all.Go(func() {
			if inst.process.IsWeb() {
				<-drained
				if ctx.Err() != nil {
					return
				}
				k.f.observe(core.AtDrained, inst, "")
			}
			for n := 1; k.f.booter.stop(ctx, inst.ID(), k.f.cfg.Limits.Grace) != nil; n++ {
				if background.Sleep(ctx, background.Pause(n)) != nil {
					return
				}
			}
		})
	}
	bound, cancel := context.WithTimeout(ctx, k.f.cfg.Limits.Drain)
	defer cancel()
	start := time.Now()
	drain(bound)
	k.unkeep(bound, left)
	close(drained)
	k.f.cfg.Log.Info("machines drained", "app", k.name(), "count", len(left), "took", time.Since(start))
	all.Wait()
	if version > 0 && ctx.Err() == nil {
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

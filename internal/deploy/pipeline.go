package deploy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
)

// This file is the way of a release from its draft to live, from top to bottom: build, boot (until it is healthy),
// swap. If any step fails, what serves stays as it was.

// run stores draft as the app's next version, and brings that release to live or to failed.
func (d *deployment) run(ctx context.Context, draft core.Release) error {
	draft.App, draft.Pusher, draft.Key, draft.Created = d.app.Name, d.by.Name, d.by.Key, time.Now()
	var err error
	if d.release, err = d.cfg.Ledger.AddRelease(ctx, draft); err != nil {
		return err
	}
	d.keepOutput()
	d.log.Info("deployment started", "app", draft.App, "release", d.release.Version,
		"commit", draft.Commit, "pusher", draft.Pusher, "trigger", string(draft.Trigger))
	if err := d.bringUp(ctx); err != nil {
		err = disk.Rejected(because(ctx, err, d.ended))
		d.fail(err)
		return err
	}
	return nil
}

func (d *deployment) bringUp(ctx context.Context) error {
	if err := d.build(ctx); err != nil {
		return err
	}
	if err := d.cfg.Ports.Claim(ctx, d.app.Name, d.release.Manifest.Expose); err != nil {
		return err
	}
	lineup, err := d.cfg.Fleet.Lineup(ctx, d.release)
	if err != nil {
		return err
	}
	sound := d.verify(ctx)
	if !lineup.Exclusive() {
		if err := d.prepare(ctx, false, sound); err != nil {
			return err
		}
	}
	if err := d.step(ctx, core.Booting); err != nil {
		return err
	}
	if lineup.Exclusive() {
		return d.replace(ctx, lineup, sound)
	}
	candidates, err := d.boot(ctx, lineup, sound)
	if err != nil {
		return err
	}
	if err := d.swap(ctx, candidates); err != nil {
		d.cfg.Fleet.Discard(candidates)
		return err
	}
	return nil
}

// build makes the image of a release that has none yet.
func (d *deployment) build(ctx context.Context) (err error) {
	if d.release.State != core.Building {
		return nil // the release boots the image of an older one
	}
	claim := func(m core.Manifest) error { return d.cfg.Ports.Claim(ctx, d.app.Name, m.Expose) }
	if d.release.Manifest, err = d.makeImage(ctx, claim); err != nil {
		d.release.Manifest = core.Manifest{}
		return err
	}
	if err := d.step(ctx, core.Built); err != nil {
		return err
	}
	return d.cfg.Quotas.CheckDisk(ctx, d.app.Name, 0) // with the new layers, which the ledger knows now
}

// makeImage builds the commit of the release, in one of the places for builds. planned is asked before the work begins.
func (d *deployment) makeImage(ctx context.Context, planned func(core.Manifest) error) (core.Manifest, error) {
	place := &turn{app: d.app.Name, by: d.by.Name, what: "the build of " + d.app.Name, cancel: d.turn.cancel}
	if err := d.builds.join(ctx, place, told(d.report, "Waiting: number %d in the queue for builds. Now: %s")); err != nil {
		return core.Manifest{}, err
	}
	defer d.builds.leave(place)
	d.report.Lap("wait")
	if err := d.cfg.Quotas.CheckDisk(ctx, d.app.Name, 0); err != nil {
		return core.Manifest{}, err
	}
	src, err := d.source(ctx, d.app, d.release.Commit, d.files)
	if err != nil {
		return core.Manifest{}, err
	}
	src.Planned = func(m core.Manifest) error {
		if err := planned(m); err != nil {
			return err
		}
		return fleet.Admits(ctx, d.cfg.Fleet, core.Release{App: d.app.Name, Manifest: m}, d.app.Scale)
	}
	src.Fresh, src.Quarantine = d.release.Trigger == core.ByRebuild, d.quarantine
	return d.cfg.Builder.Build(ctx, src, d.report)
}

// source is what a build of app's commit works with.
func (d *Deployer) source(ctx context.Context, app core.App, commit string, hold *image.Hold) (image.Source, error) {
	src := image.Source{App: app.Name, Repo: d.cfg.State.Repo(app.Name), Commit: commit, Dir: app.Dir, Hold: hold}
	var err error
	src.Vars, err = d.cfg.Ledger.BuildVars(ctx, app.Name)
	return src, err
}

// verify reads the release's image in the background and returns a function that waits for the result. The check takes
// less time than the boot beside it, and no damaged image becomes live.
func (d *deployment) verify(ctx context.Context) (sound func() error) {
	found := make(chan error, 1)
	r := d.release
	go func() {
		err := d.cfg.Images.Verify(ctx, r.Manifest)
		var rej *core.Rejection
		if errors.As(err, &rej) && r.Trigger != core.ByPush && r.Trigger != core.ByTag {
			err = &core.Rejection{Reason: rej.Reason, Hint: image.BuildAgain(r), Err: rej.Err}
		}
		found <- err
	}()
	return sync.OnceValue(func() error { return <-found })
}

// boot starts the candidates and waits until they are healthy and their image was found sound.
func (d *deployment) boot(ctx context.Context, lineup fleet.Lineup, sound func() error) (*fleet.Formation, error) {
	d.observe(core.AtBoot)
	candidates, err := d.cfg.Fleet.Boot(ctx, lineup, d.report)
	bad := sound()
	if bad == nil {
		return candidates, err
	}
	if err == nil {
		d.cfg.Fleet.Discard(candidates)
	}
	return nil, bad // this may also be why it did not boot
}

// swap makes healthy candidates live. Once the turn is fixed, no other deployment can take the place of this one.
func (d *deployment) swap(ctx context.Context, candidates *fleet.Formation) error {
	if err := d.step(ctx, core.Healthy); err != nil {
		return err
	}
	if err := d.fix(ctx); err != nil {
		return err
	}
	d.report.Step("Switching traffic")
	d.observe(core.AtSwitch)
	if err := d.recordBranch(ctx); err != nil {
		return err
	}
	release, err := d.cfg.Fleet.Stage(ctx, d.app.Name)
	if err != nil {
		return err
	}
	defer release()
	return d.goLive(ctx, candidates)
}

// fix keeps newer deployments from taking this one's place from here on, if whoever asked for it still may.
func (d *deployment) fix(ctx context.Context) error {
	if err := d.cfg.Authorize(ctx, d.by, d.app.Name); err != nil {
		return err
	}
	return d.lane.fix(ctx, d.turn)
}

// goLive moves the traffic: first in the ledger, then at the front door; then the old machine drains in the background.
// After a crash in between, the next process finds the new release live and sends the requests to it. The caller holds
// the stage.
func (d *deployment) goLive(ctx context.Context, candidates *fleet.Formation) error {
	before := d.app.Live
	d.release.Finished, d.release.Steps = time.Now(), d.report.Steps()
	if err := d.promote(ctx, candidates); err != nil {
		return err
	}
	d.cfg.Fleet.Serve(d.app.Name, candidates, before)
	d.report.Lap("swap")
	d.log.Info("release is live", "app", d.app.Name, "release", d.release.Version,
		"commit", d.release.Commit, "pusher", d.by.Name, "steps", d.times())
	d.observe(core.AtServed)
	d.cfg.Label(context.WithoutCancel(ctx), d.app.Name)
	return nil
}

// promote makes the release live in the ledger, and moves the deploy branch. The move of the branch is prepared before,
// so that a full disk cannot make git reject a release that is live. That also brings the objects of the push into the
// repository: a live release without its commit could not be repaired.
func (d *deployment) promote(ctx context.Context, candidates *fleet.Formation) error {
	change := core.RefChange{Quarantine: d.quarantine}
	if !d.shallow {
		change.Branch, change.Commit, change.Tags = d.app.Branch, d.release.Commit, d.tags
	}
	move, err := d.cfg.Repos.Prepare(ctx, d.app.Name, change)
	if err != nil {
		return err
	}
	for _, m := range candidates.Machines() {
		if err == nil {
			err = d.cfg.Ledger.SaveMachine(ctx, m)
		}
	}
	if err == nil {
		err = d.cfg.Ledger.Promote(ctx, d.release)
	}
	if err != nil {
		move.Abort()
		return err
	}
	d.release.State = core.Live
	d.observe(core.AtLive) // in the ledger, and visible nowhere else yet
	err = move.Commit()
	if err != nil { // RepairRefs does it again
		d.log.Error("branch not moved to what is live", "app", d.app.Name, "error", err)
	}
	d.tagsStored = err == nil && !d.shallow
	return nil
}

// replace is the other order, for machines that cannot run beside the next one: the front door holds the app's
// requests, the old machine stops, the new one starts. If the new release does not become live, the old one is started
// again.
func (d *deployment) replace(ctx context.Context, lineup fleet.Lineup, sound func() error) error {
	if err := sound(); err != nil { // before anything is stopped
		return err
	}
	if err := d.fix(ctx); err != nil {
		return err
	}
	if err := d.recordBranch(ctx); err != nil {
		return err
	}
	release, err := d.cfg.Fleet.Stage(ctx, d.app.Name)
	if err != nil {
		return err
	}
	defer release()
	if err := d.cfg.Fleet.StopFirst(ctx, d.app.Name, d.report); err != nil {
		return err
	}
	if err = d.prepare(ctx, true, sound); err == nil {
		err = d.bootAndGoLive(ctx, lineup, sound)
	}
	if err != nil && d.app.Live > 0 && !d.app.Stopped && ctx.Err() == nil {
		d.cfg.Fleet.Restore(ctx, d.app.Name, d.app.Live, d.report)
	}
	return err
}

func (d *deployment) bootAndGoLive(ctx context.Context, lineup fleet.Lineup, sound func() error) error {
	candidates, err := d.boot(ctx, lineup, sound)
	if err != nil {
		return err
	}
	if err = d.step(ctx, core.Healthy); err == nil {
		err = d.goLive(ctx, candidates)
	}
	if err != nil {
		d.cfg.Fleet.Discard(candidates)
	}
	return err
}

// step moves the release to the next state, in the ledger first.
func (d *deployment) step(ctx context.Context, s core.State) error {
	next := d.release
	next.State, next.Steps = s, d.report.Steps()
	if err := d.cfg.Ledger.SaveRelease(ctx, next); err != nil {
		return err
	}
	d.release = next
	d.observe(core.Moment(s)) // in the ledger, and visible nowhere else yet
	return nil
}

// fail stores why the release did not become live.
func (d *deployment) fail(cause error) {
	r := d.release
	r.State, r.Finished, r.Steps = core.Failed, time.Now(), d.report.Steps()
	r.Reason = oneLine(cause)
	d.release = r
	d.cfg.Work.Retry(d.log, "the failure of a release", func(ctx context.Context) error {
		return d.cfg.Ledger.SaveRelease(ctx, r)
	})
	d.log.Warn("release failed", "app", r.App, "release", r.Version, "reason", r.Reason)
	d.observe(core.AtFailed)
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Turn is what a change of an app may use while no other change of that app can run.
type Turn struct {
	App    core.App // as it was when the turn came
	Report *progress.Report

	d *deployment
}

// Redeploy deploys the app's live image as a new release.
func (t *Turn) Redeploy(ctx context.Context, why core.Trigger) error {
	live, err := t.d.cfg.Ledger.Release(ctx, t.App.Name, t.App.Live)
	if err != nil {
		return err
	}
	return t.d.redeploy(ctx, live, why)
}

// Fix keeps newer deployments from taking the change's place from here on, or says that one has taken it.
func (t *Turn) Fix(ctx context.Context) error { return t.d.fix(ctx) }

// Unlocked returns an error if the app is locked.
func (t *Turn) Unlocked() error { return t.d.unlocked() }

// HasTags reports whether a tag is stored for the app.
func (t *Turn) HasTags(ctx context.Context) (bool, error) {
	tags, err := t.d.cfg.Repos.Tags(ctx, t.App.Name)
	return len(tags) > 0, err
}

// Operate runs work when app's turn for it has come, with progress on w. It is not tied to the caller's connection,
// as a push is not tied to its client's. what names the work to those who wait; replaces has it take the place of
// deployments that wait, build or boot.
func (d *Deployer) Operate(
	by core.Actor, app, what string, replaces bool, w io.Writer, work func(context.Context, *Turn) error,
) error {
	return d.operate(by, app, what, replaces, w, func(ctx context.Context, j *deployment) error {
		return work(ctx, &Turn{App: j.app, Report: j.report, d: j})
	})
}

func (d *Deployer) operate(
	by core.Actor, app, what string, replaces bool, w io.Writer, work func(context.Context, *deployment) error,
) error {
	done, err := d.cfg.Work.Begin()
	if err != nil {
		return errStopping
	}
	defer done()
	out := progress.NewPatient(w)
	defer out.End()
	r := progress.NewReport(out)
	s := d.begin(core.Work{ID: core.NewWorkID(), App: app, By: by.Name, Began: time.Now()}, r)
	j := d.deploymentOf(by, app, what, s, r)
	if replaces {
		j.replacing()
	}
	defer j.report.EndKeep()
	ctx, leave, err := j.enter()
	defer func() { s.over(err) }()
	if err == nil {
		defer leave()
		if err = work(ctx, j); err != nil {
			err = because(ctx, err, errStopping)
		}
		d.cfg.Label(context.WithoutCancel(ctx), app)
	}
	if errors.Is(err, context.Canceled) {
		return errStopping
	}
	return disk.Rejected(err)
}

// Rollback deploys the image of an older release of app again, as a new release. Version 0 means the newest release
// that was live before the live one and has another image.
func (d *Deployer) Rollback(_ context.Context, by core.Actor, app string, version int, w io.Writer) error {
	what := "a rollback"
	if version > 0 {
		what = fmt.Sprintf("a rollback to v%d", version)
	}
	return d.operate(by, app, what, true, w, func(ctx context.Context, j *deployment) error {
		target, err := rollback{j}.target(ctx, version)
		if err != nil {
			return err
		}
		j.report.Step("Rolling back to v%d (%.7s): its image is kept, no build", target.Version, target.Commit)
		return j.redeploy(ctx, target, core.ByRollback)
	})
}

// Rebuild builds the live commit of app again, with nothing of what earlier builds have kept, and deploys the result.
func (d *Deployer) Rebuild(_ context.Context, by core.Actor, app string, w io.Writer) error {
	return d.operate(by, app, "a rebuild", true, w, func(ctx context.Context, j *deployment) error {
		if j.app.Live == 0 {
			return NoRelease(app)
		}
		live, err := j.cfg.Ledger.Release(ctx, app, j.app.Live)
		if err != nil {
			return err
		}
		if err := j.unlocked(); err != nil {
			return err
		}
		j.report.Step("Building v%d (%.7s) again", live.Version, live.Commit)
		draft := core.Release{Commit: live.Commit, Subject: live.Subject, Trigger: core.ByRebuild, State: core.Building}
		if err := j.run(ctx, draft); err != nil {
			return err
		}
		j.report.Pass(j.summary())
		return nil
	})
}

// Redeploy makes a new release of app's live image, because its config has changed, or to start it anew.
func (d *Deployer) Redeploy(_ context.Context, by core.Actor, app string, t core.Trigger, w io.Writer) error {
	return d.Operate(by, app, "a "+string(t)+" release", false, w, func(ctx context.Context, turn *Turn) error {
		switch {
		case turn.App.Live == 0:
			return NoRelease(app)
		case turn.App.Stopped:
			return core.Reject(app+" is stopped", "what changed counts when it starts: `ps:start "+app+"`")
		}
		return turn.Redeploy(ctx, t)
	})
}

// Cancel ends the deployments of app that wait, build or boot. One that is being swapped goes on.
func (d *Deployer) Cancel(ctx context.Context, by core.Actor, app string) error {
	if d.lane(app).cancelAll(core.Reject("cancelled by "+by.Name, "")) == 0 {
		return core.Reject("nothing of "+app+" can be cancelled", "only what waits, builds or boots can")
	}
	d.cfg.Trail.Note(ctx, app, by.Name, "deployment.cancel", "")
	return nil
}

// NoRelease is the answer to an operation that needs a release of app, when it has none.
func NoRelease(app string) *core.Rejection {
	return core.Reject(app+" has no release yet", "a `git push` makes the first")
}

// redeploy deploys the image of an older release, or of the live one, as a new release.
func (d *deployment) redeploy(ctx context.Context, of core.Release, t core.Trigger) error {
	if err := d.unlocked(); err != nil && t != core.ByRestart {
		return err
	}
	err := d.run(ctx, core.Release{
		Commit: of.Commit, Subject: of.Subject, Trigger: t, State: core.Built, ImageOf: imageOf(of), Manifest: of.Manifest,
	})
	if err != nil {
		return err
	}
	d.report.Pass(d.summary())
	return nil
}

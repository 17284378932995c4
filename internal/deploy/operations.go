package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"

	"gitd/internal/core"
	"gitd/internal/progress"
)

// Rollback deploys the image of an older release of app again, as a new
// release. Version 0 is the newest that was live before what is live now and
// is not the same image.
func (d *Deployer) Rollback(ctx context.Context, by core.Actor, app string, version int, w io.Writer) error {
	what := "a rollback"
	if version > 0 {
		what = fmt.Sprintf("a rollback to v%d", version)
	}
	return d.operate(by, app, what, true, w, func(ctx context.Context, j *deployment) error {
		target, err := j.target(ctx, version)
		if err != nil {
			return err
		}
		j.report.Step("Rolling back to v%d (%.7s): its image is kept, no build", target.Version, target.Commit)
		return j.redeploy(ctx, target, core.ByRollback)
	})
}

// Redeploy makes a new release of app's live image, because its config has
// changed or to start it anew.
func (d *Deployer) Redeploy(ctx context.Context, by core.Actor, app string, t core.Trigger, w io.Writer) error {
	return d.operate(by, app, "a "+string(t)+" release", false, w, func(ctx context.Context, j *deployment) error {
		switch {
		case j.app.Live == 0:
			return noRelease(app)
		case j.app.Stopped:
			return core.Reject(app+" is stopped", "what changed counts when it starts: `ps:start "+app+"`")
		}
		live, err := d.cfg.Ledger.Release(ctx, app, j.app.Live)
		if err != nil {
			return err
		}
		return j.redeploy(ctx, live, t)
	})
}

// operate runs work as a deployment of app, for a command. It is not tied to
// the command's connection, as a push is not tied to its client's.
func (d *Deployer) operate(by core.Actor, app, what string, replaces bool, w io.Writer, work func(context.Context, *deployment) error) error {
	done, err := d.begin()
	if err != nil {
		return errStopping
	}
	defer done()
	out := progress.NewPatient(w)
	defer out.End()
	j := d.deploymentOf(by, app, what, progress.NewReport(out))
	if replaces {
		j.replacing()
	}
	defer j.report.EndKeep()
	ctx, leave, err := j.enter()
	if err == nil {
		defer leave()
		if err = work(ctx, j); err != nil {
			err = because(ctx, err)
		}
	}
	if errors.Is(err, context.Canceled) {
		return errStopping
	}
	return err
}

// target finds what to roll back to, and refuses before anything is touched.
func (j *deployment) target(ctx context.Context, version int) (core.Release, error) {
	if err := j.unlocked(); err != nil {
		return core.Release{}, err
	}
	if j.app.Live == 0 {
		return core.Release{}, noRelease(j.app.Name)
	}
	live, err := j.d.cfg.Ledger.Release(ctx, j.app.Name, j.app.Live)
	if err != nil {
		return core.Release{}, err
	}
	target, err := j.chosen(ctx, live, version)
	if err != nil {
		return core.Release{}, err
	}
	if gone := j.takeImage(target.Manifest); gone != nil {
		return core.Release{}, &core.Rejection{
			Reason: fmt.Sprintf("the image of v%d is no longer kept", target.Version),
			Hint:   buildAgain(target),
			Err:    gone,
		}
	}
	return target, nil
}

// buildAgain says how to deploy a release whose image is gone.
func buildAgain(r core.Release) string {
	return fmt.Sprintf("its commit can be built again: git tag back-to-v%d %.12s && git push REMOTE back-to-v%d", r.Version, r.Commit, r.Version)
}

func (j *deployment) chosen(ctx context.Context, live core.Release, version int) (core.Release, error) {
	see := "`releases " + j.app.Name + "` lists them"
	if version > 0 {
		r, err := j.d.cfg.Ledger.Release(ctx, j.app.Name, version)
		switch {
		case ignoreMissing(err) != nil:
			return core.Release{}, err
		case err != nil:
			return core.Release{}, core.Reject(fmt.Sprintf("%s has no release v%d", j.app.Name, version), see)
		case r.State == core.Live && !j.app.Stopped:
			return core.Release{}, core.Reject(fmt.Sprintf("v%d is live already", version), "")
		case r.State != core.Retired && r.State != core.Draining && r.State != core.Live:
			return core.Release{}, core.Reject(fmt.Sprintf("v%d was never live: it is %s", version, r.State), see)
		}
		return r, nil
	}
	list, err := j.d.cfg.Ledger.Releases(ctx, j.app.Name, 0)
	if err != nil {
		return core.Release{}, err
	}
	for _, r := range list {
		old := r.State == core.Retired || r.State == core.Draining
		if r.Version < live.Version && old && !reflect.DeepEqual(r.Manifest, live.Manifest) {
			return r, nil
		}
	}
	return core.Release{}, core.Reject(fmt.Sprintf("there is nothing before v%d to roll back to", live.Version), see)
}

// redeploy brings up the image of an older release, or of the live one, as a
// new release.
func (j *deployment) redeploy(ctx context.Context, of core.Release, t core.Trigger) error {
	if err := j.unlocked(); err != nil && t != core.ByRestart {
		return err
	}
	err := j.deploy(ctx, core.Release{
		Commit: of.Commit, Subject: of.Subject, Trigger: t, State: core.Built, ImageOf: imageOf(of), Manifest: of.Manifest,
	})
	if err != nil {
		return err
	}
	j.report.Pass(j.summary())
	return nil
}

// Cancel ends the deployments of app that wait, build or boot; what is being
// swapped goes on.
func (d *Deployer) Cancel(ctx context.Context, by core.Actor, app string) error {
	k := d.keeper(app)
	if k.queue.cancelAll(core.Reject("cancelled by "+by.Name, "")) == 0 {
		return core.Reject("nothing of "+app+" can be cancelled", "only what waits, builds or boots can")
	}
	d.record(ctx, app, by.Name, "deployment.cancel", "")
	return nil
}

func noRelease(app string) *core.Rejection {
	return core.Reject(app+" has no release yet", "a `git push` makes the first")
}

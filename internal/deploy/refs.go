package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// FailInterrupted marks the deployments that an earlier gitd did not finish as failed. It is called once, at the start.
func (d *Deployer) FailInterrupted(ctx context.Context) error {
	unfinished, err := d.cfg.Ledger.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, r := range unfinished {
		if !r.State.Deploying() {
			continue
		}
		r.Reason = fmt.Sprintf("gitd ended while the release was %s", r.State)
		r.State, r.Finished = core.Failed, time.Now()
		if err := d.cfg.Ledger.SaveRelease(ctx, r); err != nil {
			return err
		}
		d.cfg.Log.Warn("interrupted release marked as failed", "app", r.App, "release", r.Version)
	}
	return nil
}

// RepairAllRefs does what RepairRefs does, for every app. It is called before the first push.
func (d *Deployer) RepairAllRefs(ctx context.Context) error {
	apps, err := d.cfg.Ledger.Apps(ctx)
	if err != nil {
		return err
	}
	lives, err := d.cfg.Ledger.Lives(ctx)
	if err != nil {
		return err
	}
	live := map[string]core.Release{}
	for _, r := range lives {
		live[r.App] = r
	}
	for _, app := range apps {
		if r, ok := live[app.Name]; ok {
			d.cantRepair(app.Name, d.pointAt(ctx, app, r))
		}
	}
	return nil
}

// RepairRefs points the deploy branch of app at its live release: a push that was cut off after the swap leaves the
// branch behind. It does nothing while a deployment of app runs, because that deployment's git is about to move the
// branch.
func (d *Deployer) RepairRefs(ctx context.Context, app string) {
	t := &turn{app: app, by: "gitd", what: "the repair of its refs"}
	lane := d.lane(app)
	if !lane.try(t) {
		return
	}
	defer lane.leave(t)
	d.cantRepair(app, d.repairRefs(ctx, app))
}

func (d *Deployer) repairRefs(ctx context.Context, name string) error {
	app, err := d.cfg.Ledger.App(ctx, name)
	if err != nil || app.Live == 0 {
		return err
	}
	live, err := d.cfg.Ledger.Release(ctx, name, app.Live)
	if err != nil {
		return err
	}
	return d.pointAt(ctx, app, live)
}

func (d *Deployer) pointAt(ctx context.Context, app core.App, live core.Release) error {
	if app.Branch == "" {
		return nil
	}
	return d.cfg.Repos.Point(ctx, app.Name, app.Branch, live.Commit)
}

func (d *Deployer) cantRepair(app string, err error) {
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		d.cfg.Log.Error("refs cannot be repaired", "app", app, "error", err)
	}
}

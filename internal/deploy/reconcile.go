package deploy

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Reconcile makes what runs agree with the ledger: interrupted releases are
// failed, machines of live releases are adopted, missing ones are started in
// the background, and machines of ours that the ledger does not want are
// stopped. Call it once, before the first push.
func (d *Deployer) Reconcile(ctx context.Context) error {
	if err := d.failInterrupted(ctx); err != nil {
		return err
	}
	apps, err := d.cfg.Ledger.Apps(ctx)
	if err != nil {
		return err
	}
	found, err := d.found(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, app := range apps {
		d.RepairRefs(ctx, app.Name)
		if app.Live == 0 {
			d.cfg.Router.Down(app.Name, "nothing has been deployed yet")
			continue
		}
		if !d.adopt(ctx, app, found) {
			d.cfg.Router.Down(app.Name, "it is starting")
			missing = append(missing, app.Name)
		}
	}
	d.removeStray(ctx, found)
	d.startMissing(missing)
	return nil
}

func (d *Deployer) failInterrupted(ctx context.Context) error {
	rels, err := d.cfg.Ledger.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, r := range rels {
		r.Reason = fmt.Sprintf("gitd ended while the release was %s", r.State)
		r.State, r.Finished = Failed, time.Now()
		if err := d.cfg.Ledger.SaveRelease(ctx, r); err != nil {
			return err
		}
		d.cfg.Log.Warn("interrupted release marked as failed", "app", r.App, "release", r.Version)
	}
	return nil
}

// found are the machines that run, by id.
func (d *Deployer) found(ctx context.Context) (map[string]Machine, error) {
	list, err := d.cfg.Driver.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	found := map[string]Machine{}
	for _, m := range list {
		found[m.ID] = m
	}
	return found, nil
}

// adopt takes over the machine of app's live release, if the ledger knows
// one and it runs, and removes it from found.
func (d *Deployer) adopt(ctx context.Context, app App, found map[string]Machine) bool {
	known, err := d.cfg.Ledger.Machines(ctx)
	if err != nil {
		d.cfg.Log.Error("machines cannot be read", "error", err)
		return false
	}
	for _, m := range known {
		if _, runs := found[m.ID]; !runs || m.App != app.Name || m.Release != app.Live {
			continue
		}
		rel, err := d.cfg.Ledger.Release(ctx, app.Name, app.Live)
		if err != nil {
			d.cfg.Log.Error("live release cannot be read", "app", app.Name, "error", err)
			return false
		}
		inst := newInstance(rel, d.cfg.Output)
		inst.named(m)
		got, err := d.cfg.Driver.Adopt(ctx, m.ID, inst.watch)
		if err != nil {
			d.cfg.Log.Warn("machine cannot be adopted", "app", app.Name, "machine", m.ID, "error", err)
			continue
		}
		got.Started = m.Started
		inst.named(got)
		delete(found, m.ID)
		d.front(inst)
		d.cfg.Log.Info("machine adopted", "app", app.Name, "release", rel.Version, "machine", m.ID)
		return true
	}
	return false
}

// removeStray stops what is ours and not wanted, and forgets machines that
// no longer run.
func (d *Deployer) removeStray(ctx context.Context, stray map[string]Machine) {
	for id, m := range stray {
		d.cfg.Log.Warn("machine that the ledger does not want", "machine", id, "app", m.App, "release", m.Release)
		d.stop(ctx, id, 0)
	}
	known, err := d.cfg.Ledger.Machines(ctx)
	if err != nil {
		d.cfg.Log.Error("machines cannot be read", "error", err)
		return
	}
	for _, m := range known {
		if d.serves(m) {
			continue
		}
		if err := d.cfg.Ledger.DeleteMachine(ctx, m.ID); err != nil {
			d.cfg.Log.Error("machine stays in the ledger", "machine", m.ID, "error", err)
		}
	}
}

func (d *Deployer) serves(m Machine) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	inst := d.running[m.App]
	return inst != nil && inst.id() == m.ID
}

// startMissing boots the live releases that do not run, as many at a time
// as there are cores.
func (d *Deployer) startMissing(apps []string) {
	turn := make(chan struct{}, runtime.NumCPU())
	for _, app := range apps {
		d.goWork(func(ctx context.Context) {
			select {
			case turn <- struct{}{}:
				defer func() { <-turn }()
				d.revive(ctx, app, 0)
			case <-ctx.Done():
			}
		})
	}
}

// RepairRefs points the deploy branch of app at its live release, as a push
// that was cut off after the swap leaves it behind. While a deployment of app
// runs it does nothing: that deployment's git is about to move the branch.
func (d *Deployer) RepairRefs(ctx context.Context, app string) {
	unlock, ok := d.locks.try(app, "the repair of its refs")
	if !ok {
		return
	}
	defer unlock()
	if err := d.repairRefs(ctx, app); err != nil && !errors.Is(err, ErrNotFound) {
		d.cfg.Log.Error("refs cannot be repaired", "app", app, "error", err)
	}
}

func (d *Deployer) repairRefs(ctx context.Context, name string) error {
	app, err := d.cfg.Ledger.App(ctx, name)
	if err != nil || app.Live == 0 || app.Branch == "" {
		return err
	}
	live, err := d.cfg.Ledger.Release(ctx, name, app.Live)
	if err != nil {
		return err
	}
	return d.cfg.Repos.Point(ctx, name, app.Branch, live.Commit)
}

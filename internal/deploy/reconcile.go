package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gitd/internal/core"
)

// Reconcile makes what runs agree with the ledger: interrupted releases are
// failed, machines of live releases are adopted, missing ones are started in
// the background, and machines of ours that the ledger does not want are
// stopped. Call it once, before the first push.
func (d *Deployer) Reconcile(ctx context.Context) error {
	if err := d.recoverVolumes(ctx); err != nil {
		return err
	}
	unfinished, err := d.cfg.Ledger.Unfinished(ctx)
	if err != nil {
		return err
	}
	if err := d.failInterrupted(ctx, unfinished); err != nil {
		return err
	}
	s, err := d.survey(ctx)
	if err != nil {
		return err
	}
	var missing []*keeper
	for _, app := range s.apps {
		if d.settleApp(ctx, app, s) {
			missing = append(missing, d.keeper(app.Name))
		}
	}
	d.removeStray(ctx, s)
	for _, r := range unfinished {
		if r.State == core.Draining {
			d.retired(r.App, r.Version)
		}
	}
	for _, k := range missing {
		d.revive(k, 0)
	}
	d.collectSoon("")
	return nil
}

// survey is what the ledger knows and what runs, read at once: one query for
// all apps, however many there are.
type survey struct {
	apps  []core.App
	lives map[string]core.Release   // by app
	known map[string][]core.Machine // by app
	found map[string]core.Machine   // by id; what is adopted is taken out
}

func (d *Deployer) survey(ctx context.Context) (*survey, error) {
	s := &survey{lives: map[string]core.Release{}, known: map[string][]core.Machine{}, found: map[string]core.Machine{}}
	var err error
	if s.apps, err = d.cfg.Ledger.Apps(ctx); err != nil {
		return nil, err
	}
	lives, err := d.cfg.Ledger.Lives(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range lives {
		s.lives[r.App] = r
	}
	machines, err := d.cfg.Ledger.Machines(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		s.known[m.App] = append(s.known[m.App], m)
	}
	running, err := d.cfg.Driver.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	for _, m := range running {
		s.found[m.ID] = m
	}
	return s, nil
}

// failInterrupted ends the deployments of a gitd that is no more.
func (d *Deployer) failInterrupted(ctx context.Context, unfinished []core.Release) error {
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

// settleApp brings one app in line, and reports whether its machine is
// missing.
func (d *Deployer) settleApp(ctx context.Context, app core.App, s *survey) (missing bool) {
	if app.FormerName != "" {
		if err := d.moveFiles(ctx, app.FormerName, app.Name); err != nil {
			d.cfg.Log.Error("files of a renamed app not moved", "app", app.Name, "was", app.FormerName, "error", err)
		}
	}
	if err := d.serveNames(ctx, app.Name); err != nil {
		d.cfg.Log.Error("domains cannot be read", "app", app.Name, "error", err)
	}
	k := d.keeper(app.Name)
	live, ok := s.lives[app.Name]
	if !ok {
		d.down(k, "nothing has been deployed yet", false)
		return false
	}
	if err := d.pointAt(ctx, app, live); err != nil {
		d.cfg.Log.Error("refs cannot be repaired", "app", app.Name, "error", err)
	}
	switch {
	case app.Stopped:
		d.down(k, "it was stopped", false)
		return false
	case d.adopt(ctx, k, live, s):
		return false
	default:
		d.down(k, "it is starting", true)
		return true
	}
}

// adopt takes over the machine of app's live release, if the ledger knows
// one and it runs, and removes it from what was found.
func (d *Deployer) adopt(ctx context.Context, k *keeper, live core.Release, s *survey) bool {
	for _, m := range s.known[live.App] {
		if _, runs := s.found[m.ID]; !runs || m.Release != live.Version {
			continue
		}
		inst := newInstance(live, d.cfg.Output)
		inst.named(m)
		got, err := d.cfg.Driver.Adopt(ctx, m.ID, inst.watch)
		if err != nil {
			d.cfg.Log.Warn("machine cannot be adopted", "app", live.App, "machine", m.ID, "error", err)
			continue
		}
		// Its driver knows the names it was born with.
		got.App, got.Release, got.Started = m.App, m.Release, m.Started
		inst.adopted(got)
		delete(s.found, m.ID)
		d.front(k, inst)
		d.cfg.Log.Info("machine adopted", "app", live.App, "release", live.Version, "machine", m.ID)
		return true
	}
	return false
}

// removeStray stops what is ours and not wanted, and forgets machines that
// no longer run.
func (d *Deployer) removeStray(ctx context.Context, s *survey) {
	for id, m := range s.found {
		d.cfg.Log.Warn("machine that the ledger does not want", "machine", id, "app", m.App, "release", m.Release)
		d.record(ctx, m.App, "gitd", "machine.removed", id+" is not in the ledger")
		d.stop(ctx, id, 0) //nolint:errcheck // logged; the next start tries again
	}
	for app, machines := range s.known {
		inst := d.keeper(app).current()
		for _, m := range machines {
			if inst != nil && inst.id() == m.ID {
				continue
			}
			if err := d.cfg.Ledger.DeleteMachine(ctx, m.ID); err != nil {
				d.cfg.Log.Error("machine stays in the ledger", "machine", m.ID, "error", err)
			}
		}
	}
}

// RepairRefs points the deploy branch of app at its live release, as a push
// that was cut off after the swap leaves it behind. While a deployment of app
// runs it does nothing: that deployment's git is about to move the branch.
func (d *Deployer) RepairRefs(ctx context.Context, app string) {
	t := &turn{app: app, by: "gitd", what: "the repair of its refs"}
	k := d.keeper(app)
	if !k.queue.try(t) {
		return
	}
	defer k.queue.leave(t)
	if err := d.repairRefs(ctx, app); err != nil && !errors.Is(err, core.ErrNotFound) {
		d.cfg.Log.Error("refs cannot be repaired", "app", app, "error", err)
	}
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

package fleet

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/lastuse"
)

// Reconcile makes what runs agree with the ledger: machines of live releases are adopted, missing ones are started in
// the background, and machines of ours that the ledger does not want are stopped. Call it once, after interrupted
// deployments were marked as failed and before anything is deployed.
func (f *Fleet) Reconcile(ctx context.Context) error {
	s, err := newSurvey(ctx, f.cfg)
	if err != nil {
		return err
	}
	var missing []vacancy
	for _, app := range s.apps {
		for i, p := range f.settle(ctx, app, s) {
			missing = append(missing, vacancy{p, app, i, s.lives[app.Name]})
		}
	}
	f.removeStray(ctx, s)
	f.booter.reserve(ctx, missing)
	for _, r := range s.draining {
		f.retired(r.App, r.Version)
	}
	lastuse.Sort(f.cfg.State, missing, func(v vacancy) (app string, nth int) { return v.app.Name, v.nth })
	for i, p := range missing {
		p.revive(time.Duration(i) * lastuse.Stagger)
	}
	return nil
}

// survey is what the ledger knows and what runs, read with one query for each kind, however many apps there are.
type survey struct {
	apps     []core.App
	lives    map[string]core.Release   // by app
	known    map[string][]core.Machine // by app
	found    map[string]core.Machine   // by id; a machine that is adopted is taken out
	draining []core.Release
}

func newSurvey(ctx context.Context, cfg Config) (*survey, error) {
	s := &survey{lives: map[string]core.Release{}, known: map[string][]core.Machine{}, found: map[string]core.Machine{}}
	if err := s.read(ctx, cfg.Ledger); err != nil {
		return nil, err
	}
	running, err := cfg.Driver.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	for _, m := range running {
		s.found[m.ID] = m
	}
	return s, nil
}

// read reads what the ledger knows.
func (s *survey) read(ctx context.Context, ledger Ledger) (err error) {
	if s.apps, err = ledger.Apps(ctx); err != nil {
		return err
	}
	lives, err := ledger.Lives(ctx)
	if err != nil {
		return err
	}
	for _, r := range lives {
		s.lives[r.App] = r
	}
	machines, err := ledger.Machines(ctx)
	if err != nil {
		return err
	}
	for _, m := range machines {
		s.known[m.App] = append(s.known[m.App], m)
	}
	unfinished, err := ledger.Unfinished(ctx)
	for _, r := range unfinished {
		if r.State == core.Draining {
			s.draining = append(s.draining, r)
		}
	}
	return err
}

// settle brings one app into line, and returns the posts of which the machine is missing.
func (f *Fleet) settle(ctx context.Context, app core.App, s *survey) (missing []*post) {
	k := f.keeper(app.Name)
	live, ok := s.lives[app.Name]
	switch {
	case !ok:
		k.note("nothing has been deployed yet", false)
		return nil
	case app.Stopped:
		k.note("it was stopped", false)
		return nil
	case f.cfg.Sleepers.Asleep(app.Name):
		k.note(asleep, false)
		return nil
	}
	adopted := &Formation{}
	processes := app.Scale.Formation(live.Manifest)
	for _, process := range processes {
		if inst := k.adopt(ctx, live, process, s); inst != nil {
			adopted.machines = append(adopted.machines, inst)
		}
	}
	k.take(adopted)
	k.restrict(ctx) // the operator may have changed the flags
	missing, _ = k.posts.need(processes)
	k.direct()
	adopted.watch(k)
	return missing
}

// adopt takes over the machine of a process of the app's live release, if the ledger knows one and it runs, and removes
// it from s.found. Otherwise it returns nil.
func (k *keeper) adopt(ctx context.Context, live core.Release, process core.ProcessID, s *survey) *Instance {
	log := k.f.cfg.Log
	for _, m := range s.known[live.App] {
		if _, runs := s.found[m.ID]; !runs || m.Release != live.Version || m.Process != process {
			continue
		}
		inst := newInstance(live, process, k.f.cfg.Output)
		inst.named(m)
		got, err := k.f.cfg.Driver.Adopt(ctx, m.ID, inst.watch)
		if err != nil {
			log.Warn("machine cannot be adopted", "app", live.App, "machine", m.ID, "error", err)
			continue
		}
		// The driver knows the names that the machine had when it was started.
		got.App, got.Release, got.Process, got.Started = m.App, m.Release, m.Process, m.Started
		inst.adopted(got)
		k.f.cfg.Places.Adopted(got)
		delete(s.found, m.ID)
		log.Info("machine adopted", "app", live.App, "release", live.Version, "process", process.String(), "machine", m.ID)
		return inst
	}
	return nil
}

// removeStray stops the machines of ours that nobody wants, and removes machines that no longer run from the ledger.
func (f *Fleet) removeStray(ctx context.Context, s *survey) {
	for id, m := range s.found {
		f.cfg.Log.Warn("machine that the ledger does not want", "machine", id, "app", m.App, "release", m.Release)
		f.cfg.Trail.Note(ctx, m.App, "gitd", "machine.removed", id+" is not in the ledger")
		f.booter.stop(ctx, id, 0) //nolint:errcheck // logged; the next start tries again
	}
	for app, machines := range s.known {
		runs := f.keeper(app).posts.instances()
		for _, m := range machines {
			if slices.ContainsFunc(runs, func(inst *Instance) bool { return inst.ID() == m.ID }) {
				continue
			}
			if err := f.cfg.Ledger.DeleteMachine(ctx, m.ID); err != nil {
				f.cfg.Log.Error("machine stays in the ledger", "machine", m.ID, "error", err)
			}
		}
	}
}

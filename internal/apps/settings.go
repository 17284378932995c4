package apps

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// ConfigChange is what to do to the config of an app.
type ConfigChange struct {
	Set       map[string]string
	Unset     []string
	Build     *bool // whether builds see what is set; nil: as before, and not what is new
	NoRestart bool  // only store the change
}

// names says which variables are changed. It contains no values.
func (c ConfigChange) names() string {
	var parts []string
	if len(c.Set) > 0 {
		set := "set " + strings.Join(slices.Sorted(maps.Keys(c.Set)), ", ")
		switch {
		case c.Build != nil && *c.Build:
			set += " (builds see it)"
		case c.Build != nil:
			set += " (builds do not see it)"
		}
		parts = append(parts, set)
	}
	if len(c.Unset) > 0 {
		parts = append(parts, "unset "+strings.Join(slices.Sorted(slices.Values(c.Unset)), ", "))
	}
	return strings.Join(parts, "; ")
}

// vars is c as the ledger takes it.
func (c ConfigChange) vars() core.VarChange {
	v := core.VarChange{Set: c.Set, Unset: c.Unset, Build: map[string]bool{}}
	for name := range c.Set {
		if c.Build != nil {
			v.Build[name] = *c.Build
		}
	}
	return v
}

// config is the config of an app at one moment.
type config struct{ all, build map[string]string }

func configOf(ctx context.Context, l Ledger, app string) (c config, err error) {
	if c.all, err = l.Vars(ctx, app); err != nil {
		return c, err
	}
	c.build, err = l.BuildVars(ctx, app)
	return c, err
}

// undo returns the change that gives the variables of c their values and marks from before, except those that somebody
// has changed again since.
func (c ConfigChange) undo(was config, now map[string]string) core.VarChange {
	before := was.all
	back := core.VarChange{Set: map[string]string{}, Build: map[string]bool{}}
	defer func() {
		for name := range back.Set {
			_, back.Build[name] = was.build[name]
		}
	}()
	for name, value := range c.Set {
		if now[name] != value {
			continue
		}
		if old, had := before[name]; had {
			back.Set[name] = old
		} else {
			back.Unset = append(back.Unset, name)
		}
	}
	for _, name := range c.Unset {
		_, has := now[name]
		if old, had := before[name]; had && !has {
			back.Set[name] = old
		}
	}
	return back
}

// itself is the actor in the audit when a setting is taken back.
var itself = core.Actor{Name: "gitd"}

// SetConfig changes the config of app and deploys a release with it. If that fails, the config is as it was before:
// otherwise what serves could not be started again.
func (s *Apps) SetConfig(ctx context.Context, by core.Actor, app string, c ConfigChange, w io.Writer) error {
	if c.NoRestart {
		before, err := configOf(ctx, s.cfg.Ledger, app)
		if err != nil {
			return err
		}
		if err := s.storeConfig(ctx, by, app, c.vars(), c.names()); err != nil {
			return disk.Rejected(err)
		}
		r := progress.NewReport(w)
		r.Step("Stored (%s): it counts from the next release on", c.names())
		return adviseBuild(ctx, s.cfg.Ledger, app, before, r)
	}
	return s.cfg.Deployer.Operate(by, app, "a change of config", false, w, func(ctx context.Context, t *deploy.Turn) error {
		before, err := configOf(ctx, s.cfg.Ledger, app)
		if err != nil {
			return err
		}
		return s.apply(ctx, t, change{
			what: "Config: " + c.names(),
			store: func(ctx context.Context) error {
				if err := s.storeConfig(ctx, by, app, c.vars(), c.names()); err != nil {
					return err
				}
				return adviseBuild(ctx, s.cfg.Ledger, app, before, t.Report)
			},
			undo: func(ctx context.Context) error {
				now, err := s.cfg.Ledger.Vars(ctx, app)
				if err != nil {
					return err
				}
				return s.storeConfig(ctx, itself, app, c.undo(before, now), c.names())
			},
		})
	})
}

// storeConfig stores c, and notes the names in the audit.
func (s *Apps) storeConfig(ctx context.Context, by core.Actor, app string, c core.VarChange, names string) error {
	if err := s.cfg.Ledger.SetVars(ctx, app, c); err != nil {
		return err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "config.change", names)
	return nil
}

// adviseBuild says what to type if what builds see has changed: the release that follows has the same image.
func adviseBuild(ctx context.Context, l Ledger, app string, before config, r *progress.Report) error {
	now, err := l.BuildVars(ctx, app)
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, one := range []struct{ some, others map[string]string }{{before.build, now}, {now, before.build}} {
		for name, value := range one.some {
			if other, has := one.others[name]; !has || other != value {
				changed[name] = true
			}
		}
	}
	if len(changed) > 0 {
		r.Detail("%s: builds see this change from the next push on; `ps:rebuild %s` builds what is live again",
			strings.Join(slices.Sorted(maps.Keys(changed)), ", "), app)
	}
	return nil
}

// SetResources sets what the machine of app gets, and deploys a release with it. If that fails, the resources are as
// they were before. Memory that was found for the app is forgotten when somebody sets its memory, or sets again what is
// set already.
func (s *Apps) SetResources(_ context.Context, by core.Actor, app string, r core.Resources, w io.Writer) error {
	if err := cmp.Or(core.CheckResources(r), core.CheckFits(r, s.cfg.Capacity)); err != nil {
		return err
	}
	return s.cfg.Deployer.Operate(by, app, "a change of resources", false, w, func(ctx context.Context, t *deploy.Turn) error {
		before, err := s.cfg.Ledger.Resources(ctx, app)
		if err != nil {
			return err
		}
		if t.App.Live == 0 || t.App.Stopped { // otherwise the release that follows is checked
			if err := s.cfg.Quotas.CheckOne(ctx, app, r); err != nil {
				return err
			}
		}
		found := t.App.FoundMiB
		if r.MemoryMiB != before.MemoryMiB || r == before {
			found = 0
		}
		return s.apply(ctx, t, change{
			what:  "Resources: " + r.String(),
			store: func(ctx context.Context) error { return storeResources(ctx, s, by, app, r, found) },
			undo:  func(ctx context.Context) error { return storeResources(ctx, s, itself, app, before, t.App.FoundMiB) },
		})
	})
}

func storeResources(ctx context.Context, s *Apps, by core.Actor, app string, r core.Resources, found int) error {
	if err := s.cfg.Ledger.SetResources(ctx, app, r); err != nil {
		return err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "resources.change", r.String())
	return s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		a.FoundMiB = found
		return nil
	})
}

// change is a change of a setting, which takes effect with a new release.
type change struct {
	what        string // for people
	store, undo func(ctx context.Context) error
}

// apply stores a setting and, if something is live and runs, deploys a release with it. If that fails, the setting is
// taken back.
func (s *Apps) apply(ctx context.Context, t *deploy.Turn, c change) error {
	if err := t.Unlocked(); err != nil {
		return err
	}
	if err := c.store(ctx); err != nil {
		return err
	}
	t.Report.Step("%s", c.what)
	if t.App.Live == 0 || t.App.Stopped {
		t.Report.Detail("nothing runs now: it counts from the next release on")
		return nil
	}
	err := t.Redeploy(ctx, core.ByConfig)
	if err == nil {
		return nil
	}
	// The release has failed, and ctx may be over.
	if undone := c.undo(context.WithoutCancel(ctx)); undone != nil {
		s.cfg.Log.Error("a setting cannot be taken back", "app", t.App.Name, "error", undone)
		t.Report.Warn("the release failed, and the change could not be taken back: %s", undone)
		return err
	}
	t.Report.Warn("the release failed: the change was taken back, and what runs is as it was")
	return err
}

// AddDomain serves app at host from now on.
func (s *Apps) AddDomain(ctx context.Context, by core.Actor, app, host string) error {
	if err := core.CheckHost(host, s.cfg.Domain); err != nil {
		return err
	}
	if err := s.cfg.Ledger.AddDomain(ctx, app, host); err != nil {
		return disk.Rejected(err)
	}
	s.cfg.Label(ctx, app)
	s.cfg.Trail.Note(ctx, app, by.Name, "domain.add", host)
	return s.serveNames(ctx, app)
}

// RemoveDomain ends that app is served at host. It returns core.ErrNotFound if app was not served there.
func (s *Apps) RemoveDomain(ctx context.Context, by core.Actor, app, host string) error {
	if err := s.cfg.Ledger.RemoveDomain(ctx, app, host); err != nil {
		return disk.Rejected(err)
	}
	s.cfg.Label(ctx, app)
	s.cfg.Trail.Note(ctx, app, by.Name, "domain.remove", host)
	return s.serveNames(ctx, app)
}

// serveNames tells the front door the domains of app. An empty app means all apps that have some.
func (s *Apps) serveNames(ctx context.Context, app string) error {
	list, err := s.cfg.Ledger.Domains(ctx, app)
	if err != nil {
		return err
	}
	hosts := map[string][]string{}
	if app != "" {
		hosts[app] = nil
	}
	for _, d := range list {
		hosts[d.App] = append(hosts[d.App], d.Host)
	}
	for app, own := range hosts {
		s.cfg.Names.Names(app, own)
	}
	return nil
}

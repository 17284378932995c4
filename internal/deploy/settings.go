package deploy

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"gitd/internal/core"
	"gitd/internal/progress"
)

// ConfigChange is what to do to the config of an app.
type ConfigChange struct {
	Set       map[string]string
	Unset     []string
	NoRestart bool // only store it
}

// names says what is changed, and no value.
func (c ConfigChange) names() string {
	var parts []string
	if len(c.Set) > 0 {
		parts = append(parts, "set "+strings.Join(slices.Sorted(maps.Keys(c.Set)), ", "))
	}
	if len(c.Unset) > 0 {
		parts = append(parts, "unset "+strings.Join(slices.Sorted(slices.Values(c.Unset)), ", "))
	}
	return strings.Join(parts, "; ")
}

// SetConfig changes the config of app and brings up a release with it. If
// that fails, the config is as it was: what serves could otherwise not be
// started again.
func (d *Deployer) SetConfig(ctx context.Context, by core.Actor, app string, c ConfigChange, w io.Writer) error {
	if c.NoRestart {
		if err := d.storeConfig(ctx, by, app, c); err != nil {
			return err
		}
		progress.NewReport(w).Step("Stored (%s): it counts from the next release on", c.names())
		return nil
	}
	return d.operate(by, app, "a change of config", false, w, func(ctx context.Context, j *deployment) error {
		before, err := d.cfg.Settings.Vars(ctx, app)
		if err != nil {
			return err
		}
		return j.apply(ctx, "Config: "+c.names(),
			func(ctx context.Context) error { return d.storeConfig(ctx, by, app, c) },
			func(ctx context.Context) error { return d.restoreConfig(ctx, app, c, before) })
	})
}

func (d *Deployer) storeConfig(ctx context.Context, by core.Actor, app string, c ConfigChange) error {
	if err := d.cfg.Settings.SetVars(ctx, app, c.Set, c.Unset); err != nil {
		return err
	}
	d.record(ctx, app, by.Name, "config.change", c.names())
	return nil
}

// restoreConfig gives what c changed its values from before, unless somebody
// has changed them again meanwhile.
func (d *Deployer) restoreConfig(ctx context.Context, app string, c ConfigChange, before map[string]string) error {
	now, err := d.cfg.Settings.Vars(ctx, app)
	if err != nil {
		return err
	}
	back := ConfigChange{Set: map[string]string{}}
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
		if old, had := before[name]; had {
			if _, has := now[name]; !has {
				back.Set[name] = old
			}
		}
	}
	return d.storeConfig(ctx, core.Actor{Name: "gitd"}, app, back)
}

// SetResources sets what the machine of app gets, and brings up a release
// with it. If that fails, they are as they were.
func (d *Deployer) SetResources(ctx context.Context, by core.Actor, app string, r core.Resources, w io.Writer) error {
	if err := core.CheckResources(r); err != nil {
		return err
	}
	return d.operate(by, app, "a change of resources", false, w, func(ctx context.Context, j *deployment) error {
		before, err := d.cfg.Settings.Resources(ctx, app)
		if err != nil {
			return err
		}
		store := func(ctx context.Context, by core.Actor, r core.Resources) error {
			if err := d.cfg.Settings.SetResources(ctx, app, r); err != nil {
				return err
			}
			d.record(ctx, app, by.Name, "resources.change", r.String())
			return nil
		}
		return j.apply(ctx, "Resources: "+r.String(),
			func(ctx context.Context) error { return store(ctx, by, r) },
			func(ctx context.Context) error { return store(ctx, core.Actor{Name: "gitd"}, before) })
	})
}

// apply stores a setting and brings up a release with it, when something is
// live and runs; if that fails, undo takes the setting back.
func (j *deployment) apply(ctx context.Context, what string, store, undo func(ctx context.Context) error) error {
	if err := j.unlocked(); err != nil {
		return err
	}
	if err := store(ctx); err != nil {
		return err
	}
	j.report.Step("%s", what)
	if j.app.Live == 0 || j.app.Stopped {
		j.report.Detail("nothing runs now: it counts from the next release on")
		return nil
	}
	live, err := j.d.cfg.Ledger.Release(ctx, j.app.Name, j.app.Live)
	if err == nil {
		err = j.redeploy(ctx, live, core.ByConfig)
	}
	if err == nil {
		return nil
	}
	// The release has failed: its context may be over.
	if undone := undo(context.WithoutCancel(ctx)); undone != nil {
		j.d.cfg.Log.Error("a setting cannot be taken back", "app", j.app.Name, "error", undone)
		j.report.Warn("the release failed, and the change could not be taken back: %s", undone)
		return err
	}
	j.report.Warn("the release failed: the change was taken back, and what runs is as it was")
	return err
}

// AddDomain serves app at host from now on.
func (d *Deployer) AddDomain(ctx context.Context, by core.Actor, app, host string) error {
	if err := core.CheckHost(host, d.ownDomain()); err != nil {
		return err
	}
	if err := d.cfg.Settings.AddDomain(ctx, app, host); err != nil {
		return err
	}
	d.record(ctx, app, by.Name, "domain.add", host)
	return d.serveNames(ctx, app)
}

// RemoveDomain no longer serves app at host. ErrNotFound: it was not.
func (d *Deployer) RemoveDomain(ctx context.Context, by core.Actor, app, host string) error {
	if err := d.cfg.Settings.RemoveDomain(ctx, app, host); err != nil {
		return err
	}
	d.record(ctx, app, by.Name, "domain.remove", host)
	return d.serveNames(ctx, app)
}

// serveNames tells the front door the domains of app.
func (d *Deployer) serveNames(ctx context.Context, app string) error {
	list, err := d.cfg.Settings.Domains(ctx, app)
	if err != nil {
		return err
	}
	var hosts []string
	for _, dom := range list {
		hosts = append(hosts, dom.Host)
	}
	d.cfg.Router.Names(app, hosts)
	return nil
}

// ownDomain is the domain below which each app has its own name.
func (d *Deployer) ownDomain() string { return strings.TrimPrefix(d.cfg.Host("app"), "app.") }

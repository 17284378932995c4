package apps

import (
	"context"
	"io"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// Scaling changes how many machines apps have. Its methods are safe for concurrent use.
type Scaling struct{ cfg Config }

// NewScaling makes a Scaling.
func NewScaling(cfg Config) *Scaling { return &Scaling{cfg} }

// Scaled is how many machines an app has of each process.
type Scaled struct {
	Manifest core.Manifest // of the live release; empty: there is none
	Scale    core.Scale
}

// ScaleOf says how app is scaled.
func (s *Scaling) ScaleOf(ctx context.Context, app string) (Scaled, error) {
	a, err := s.cfg.Ledger.App(ctx, app)
	if err != nil || a.Live == 0 {
		return Scaled{Scale: a.Scale}, err
	}
	live, err := s.cfg.Ledger.Release(ctx, app, a.Live)
	return Scaled{Manifest: live.Manifest, Scale: a.Scale}, err
}

// ScaleApp changes how many machines run of each process of app. There is no new release: machines of the live one are
// booted or stopped, and if one does not become healthy, nothing changes.
func (s *Scaling) ScaleApp(_ context.Context, by core.Actor, app string, changes []string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "a change of scale", false, w, func(ctx context.Context, t *deploy.Turn) error {
		if err := t.Unlocked(); err != nil {
			return err
		}
		var live core.Release
		var err error
		if t.App.Live > 0 {
			if live, err = s.cfg.Ledger.Release(ctx, app, t.App.Live); err != nil {
				return err
			}
		}
		next, err := s.nextScale(ctx, t.App, live, changes)
		if err != nil {
			return err
		}
		release, err := s.cfg.Fleet.Stage(ctx, app)
		if err != nil {
			return err
		}
		defer release()
		store := func(ctx context.Context) error { return s.storeScale(ctx, by, app, next, changes) }
		if t.App.Live == 0 || t.App.Stopped {
			if t.App.Live > 0 {
				err = fleet.Admits(ctx, s.cfg.Fleet, live, next)
			}
			if err == nil {
				err = store(ctx)
			}
			if err == nil {
				t.Report.Step("Stored: nothing runs now, and it counts from the next start on")
			}
			return err
		}
		if err = s.cfg.Fleet.Scale(ctx, live, next, store, t.Report); err == nil {
			t.Report.Done("%s runs %s", app, next.Text(live.Manifest))
		}
		return err
	})
}

// nextScale is the scale of a after changes, if it can have that.
func (s *Scaling) nextScale(ctx context.Context, a core.App, live core.Release, changes []string) (core.Scale, error) {
	next, err := a.Scale.With(live.Manifest, changes)
	if err != nil {
		return nil, err
	}
	volumes, err := s.cfg.Ledger.Volumes(ctx, a.Name)
	if err != nil {
		return nil, err
	}
	return next, next.CheckVolumes(live.Manifest, volumes)
}

func (s *Scaling) storeScale(ctx context.Context, by core.Actor, app string, scale core.Scale, changes []string) error {
	err := s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		a.Scale = scale
		return nil
	})
	if err == nil {
		s.cfg.Trail.Note(ctx, app, by.Name, "app.scale", strings.Join(changes, " "))
	}
	return err
}

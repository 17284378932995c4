package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gitd/internal/core"
	"gitd/internal/progress"
)

// CreateApp makes an app that nothing has been pushed to yet.
func (d *Deployer) CreateApp(ctx context.Context, by core.Actor, app string) error {
	if err := core.CheckName(app); err != nil {
		return err
	}
	switch _, err := d.cfg.Ledger.App(ctx, app); {
	case err == nil:
		return core.Reject(fmt.Sprintf("there is an app %q already", app), "choose another name")
	case !errors.Is(err, core.ErrNotFound):
		return err
	}
	if _, err := d.cfg.Ledger.CreateApp(ctx, app); err != nil {
		return err
	}
	d.down(d.keeper(app), "nothing has been deployed yet", false)
	d.record(ctx, app, by.Name, "app.create", "")
	return nil
}

// StopApp stops app's machine until StartApp or the next deployment. That is
// kept in the ledger: gitd's next start does not start it either.
func (d *Deployer) StopApp(ctx context.Context, by core.Actor, app string, w io.Writer) error {
	return d.operate(by, app, "a stop", false, w, func(ctx context.Context, j *deployment) error {
		if j.app.Stopped {
			return core.Reject(app+" is stopped already", "")
		}
		release, err := j.k.stage.take(ctx)
		if err != nil {
			return err
		}
		defer release()
		if err := d.setStopped(ctx, app, true); err != nil {
			return err
		}
		d.record(ctx, app, by.Name, "app.stop", "")
		j.report.Step("Stopping %s", app)
		return d.halt(ctx, j.k, "it was stopped by "+by.Name)
	})
}

// halt ends what serves an app. The caller holds the stage.
func (d *Deployer) halt(ctx context.Context, k *keeper, why string) error {
	inst := k.current()
	k.unserve(inst)
	d.down(k, why, false)
	if inst == nil {
		return nil
	}
	return d.stop(ctx, inst.id(), d.cfg.StopGrace)
}

// StartApp starts a stopped app's live release, and returns when it serves.
func (d *Deployer) StartApp(ctx context.Context, by core.Actor, app string, w io.Writer) error {
	return d.operate(by, app, "a start", false, w, func(ctx context.Context, j *deployment) error {
		switch {
		case j.app.Live == 0:
			return noRelease(app)
		case !j.app.Stopped && j.k.current() != nil:
			return core.Reject(app+" runs already", "")
		}
		release, err := j.k.stage.take(ctx)
		if err != nil {
			return err
		}
		defer release()
		if err := d.setStopped(ctx, app, false); err != nil {
			return err
		}
		d.record(ctx, app, by.Name, "app.start", "")
		j.k.calm()
		d.down(j.k, "it is starting", true)
		if err := d.bootLive(ctx, j.k, j.report); err != nil {
			d.revive(j.k, reviveFirst)
			return err
		}
		j.report.Done("v%d is live at %s", j.app.Live, d.cfg.URL(app))
		return nil
	})
}

func (d *Deployer) setStopped(ctx context.Context, app string, stopped bool) error {
	return d.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		a.Stopped = stopped
		return nil
	})
}

// LockApp refuses deployments of app from now on, with the reason. One that
// runs goes on.
func (d *Deployer) LockApp(ctx context.Context, by core.Actor, app, reason string) error {
	reason = progress.OneLine(reason)
	err := d.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		if a.Lock.Held() {
			return core.Reject(fmt.Sprintf("%s is locked by %s already: %s", app, a.Lock.By, a.Lock.Reason), "")
		}
		a.Lock = core.Lock{By: by.Name, Reason: reason, Since: time.Now()}
		return nil
	})
	if err == nil {
		d.record(ctx, app, by.Name, "app.lock", reason)
	}
	return err
}

// UnlockApp takes LockApp back.
func (d *Deployer) UnlockApp(ctx context.Context, by core.Actor, app string) error {
	err := d.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		if !a.Lock.Held() {
			return core.Reject(app+" is not locked", "")
		}
		a.Lock = core.Lock{}
		return nil
	})
	if err == nil {
		d.record(ctx, app, by.Name, "app.unlock", "")
	}
	return err
}

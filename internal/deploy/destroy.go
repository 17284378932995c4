package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gitd/internal/core"
)

// DestroyApp ends what is being deployed, stops app and removes its
// repository, its output and its place in the ledger. Its images go with the
// next collection. If gitd dies in the middle, the app is stopped, and the
// same command goes on.
func (d *Deployer) DestroyApp(ctx context.Context, by core.Actor, app string, w io.Writer) error {
	return d.operate(by, app, "its destruction", true, w, func(ctx context.Context, j *deployment) error {
		if err := j.unlocked(); err != nil {
			return err
		}
		if err := d.noVolumes(ctx, app); err != nil {
			return err
		}
		if err := d.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error { a.Stopped = true; return nil }); err != nil {
			return err
		}
		release, err := j.k.stage.take(ctx)
		if err != nil {
			return err
		}
		defer release()
		j.report.Step("Stopping %s", app)
		if err := d.halt(ctx, j.k, "it is being destroyed"); err != nil {
			return err
		}
		j.k.drains.Wait()
		j.report.Step("Removing its repository and its output")
		if err := d.removeFiles(ctx, app); err != nil {
			return err
		}
		if err := d.cfg.Ledger.DeleteApp(ctx, app); err != nil {
			return err
		}
		d.cfg.Router.Remove(app)
		d.record(ctx, app, by.Name, "app.destroy", "")
		return nil
	})
}

func (d *Deployer) removeFiles(ctx context.Context, app string) error {
	return errors.Join(d.cfg.Repos.Remove(ctx, app), d.cfg.Output.Forget(app), d.cfg.BuildLogs.Forget(app))
}

// RenameApp gives an app another name, which its host name follows. Its
// machine goes on under the old one until the next release.
func (d *Deployer) RenameApp(ctx context.Context, by core.Actor, from, to string) error {
	if err := core.CheckName(to); err != nil {
		return err
	}
	return d.operate(by, from, "its renaming", false, nil, func(ctx context.Context, j *deployment) error {
		if err := j.unlocked(); err != nil {
			return err
		}
		release, err := j.k.stage.take(ctx)
		if err != nil {
			return err
		}
		defer release()
		switch err := d.cfg.Ledger.RenameApp(ctx, from, to); {
		case errors.Is(err, core.ErrTaken):
			return core.Reject(fmt.Sprintf("there is an app %q already", to), "choose another name")
		case err != nil:
			return err
		}
		d.record(ctx, from, by.Name, "app.rename", "to "+to)
		d.record(ctx, to, by.Name, "app.rename", "from "+from)
		d.rename(j.k, from, to)
		return errors.Join(d.serveNames(ctx, to), d.moveFiles(ctx, from, to))
	})
}

// rename gives a keeper, and what it serves, another name.
func (d *Deployer) rename(k *keeper, from, to string) {
	d.mu.Lock()
	delete(d.keepers, from)
	d.keepers[to] = k
	d.mu.Unlock()
	k.mu.Lock()
	k.app = to
	inst, reason := k.serving, k.reason
	k.mu.Unlock()
	if inst != nil {
		inst.renamed(to)
		d.cfg.Router.Switch(to, inst.addr())
	} else {
		d.cfg.Router.Down(to, reason)
	}
	d.cfg.Router.Remove(from)
}

// moveFiles has an app's files follow its name. The ledger knows the old name
// until that is done, so a start of gitd can finish it.
func (d *Deployer) moveFiles(ctx context.Context, from, to string) error {
	err := errors.Join(d.cfg.Repos.Rename(ctx, from, to), d.cfg.Output.Rename(from, to), d.cfg.BuildLogs.Rename(from, to))
	if err != nil {
		return err
	}
	return d.cfg.Ledger.ChangeApp(ctx, to, func(a *core.App) error { a.FormerName = ""; return nil })
}

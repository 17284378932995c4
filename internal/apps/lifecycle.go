package apps

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/units"
)

// StopApp stops app's machine until StartApp or the next deployment. The ledger keeps that, so the next start of gitd
// does not start the app either.
func (s *Apps) StopApp(_ context.Context, by core.Actor, app string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "a stop", false, w, func(ctx context.Context, t *deploy.Turn) error {
		if t.App.Stopped {
			return core.Reject(app+" is stopped already", "")
		}
		release, err := s.cfg.Fleet.Stage(ctx, app)
		if err != nil {
			return err
		}
		defer release()
		if err := s.setStopped(ctx, app, true); err != nil {
			return err
		}
		s.cfg.Trail.Note(ctx, app, by.Name, "app.stop", "")
		t.Report.Step("Stopping %s", app)
		return s.cfg.Fleet.Halt(ctx, app, "it was stopped by "+by.Name)
	})
}

// StartApp starts a stopped app's live release, and returns when it serves.
func (s *Apps) StartApp(_ context.Context, by core.Actor, app string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "a start", false, w, func(ctx context.Context, t *deploy.Turn) error {
		switch {
		case t.App.Live == 0:
			return deploy.NoRelease(app)
		case !t.App.Stopped && s.cfg.Fleet.Serving(app):
			return core.Reject(app+" runs already", "")
		}
		release, err := s.cfg.Fleet.Stage(ctx, app)
		if err != nil {
			return err
		}
		defer release()
		if err := s.setStopped(ctx, app, false); err != nil {
			return err
		}
		s.cfg.Trail.Note(ctx, app, by.Name, "app.start", "")
		if err := s.cfg.Fleet.Start(ctx, app, t.Report); err != nil {
			return err
		}
		t.Report.Done("v%d is live at %s", t.App.Live, s.cfg.URL(app))
		return nil
	})
}

func (s *Apps) setStopped(ctx context.Context, app string, stopped bool) error {
	return s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		a.Stopped = stopped
		return nil
	})
}

// DestroyApp ends app's deployments, stops it, and removes its repository, its output and its place in the ledger. The
// next collection removes its images. If gitd dies in the middle, the app is stopped, and the same command can be
// repeated.
func (s *Apps) DestroyApp(_ context.Context, by core.Actor, app string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "its destruction", true, w, func(ctx context.Context, t *deploy.Turn) error {
		if err := t.Unlocked(); err != nil {
			return err
		}
		if err := s.checkNoVolumes(ctx, app); err != nil {
			return err
		}
		if err := t.Fix(ctx); err != nil {
			return err
		}
		if err := s.setStopped(ctx, app, true); err != nil {
			return err
		}
		release, err := s.cfg.Fleet.Stage(ctx, app)
		if err != nil {
			return err
		}
		defer release()
		return s.destroy(ctx, by, t)
	})
}

// DiscardApp removes app if nothing was deployed to it and nobody set anything for it, as after a first push that
// failed, and reports whether it did.
func (s *Apps) DiscardApp(ctx context.Context, by core.Actor, app string) (gone bool, err error) {
	err = s.cfg.Deployer.Operate(by, app, "its removal", false, nil, func(ctx context.Context, t *deploy.Turn) error {
		if tagged, err := t.HasTags(ctx); tagged || err != nil {
			return err
		}
		release, err := s.cfg.Fleet.Stage(ctx, app)
		if err != nil {
			return err
		}
		defer release()
		if gone, err = s.cfg.Ledger.DeleteBareApp(ctx, app); !gone || err != nil {
			return err
		}
		s.forget(ctx, by, app)
		return s.removeFiles(ctx, app)
	})
	return gone, err
}

// forget has everything that keeps app in memory know that it is gone.
func (s *Apps) forget(ctx context.Context, by core.Actor, app string) {
	s.cfg.OneOffs.End(app, "", app+" does not exist any more") // those that began meanwhile
	s.cfg.Fleet.Forget(app)
	s.cfg.Deployer.Forget(app)
	s.cfg.Trail.Note(ctx, app, by.Name, "app.destroy", "")
}

func (s *Apps) removeFiles(ctx context.Context, app string) (err error) {
	for _, files := range s.files() {
		err = errors.Join(err, files.Remove(ctx, app))
	}
	return err
}

// destroy removes an app that is marked as stopped. The caller holds its stage.
func (s *Apps) destroy(ctx context.Context, by core.Actor, t *deploy.Turn) error {
	app := t.App.Name
	t.Report.Step("Stopping %s", app)
	if err := s.cfg.Fleet.Halt(ctx, app, "it is being destroyed"); err != nil {
		return err
	}
	s.cfg.OneOffs.End(app, "", app+" is being destroyed by "+by.Name)
	if err := s.cfg.OneOffs.Gone(ctx, app); err != nil {
		return err
	}
	err := s.cfg.Fleet.Drained(ctx, app, func() { t.Report.Detail("waiting for a machine that was replaced to stop") })
	if err != nil {
		return err
	}
	t.Report.Step("Removing its repository and its output")
	if err := s.removeFiles(ctx, app); err != nil {
		return err
	}
	tell := s.cfg.Linked(ctx, app)
	if err := s.cfg.Ledger.DeleteApp(ctx, app); err != nil {
		return err
	}
	s.forget(ctx, by, app)
	tell(ctx)
	return nil
}

// checkNoVolumes refuses to destroy an app that has volumes.
func (s *Apps) checkNoVolumes(ctx context.Context, app string) error {
	volumes, err := s.cfg.Ledger.Volumes(ctx, app)
	if err != nil || len(volumes) == 0 {
		return err
	}
	v := volumes[0]
	return core.Reject(
		fmt.Sprintf("%s has %d volume(s), which would be lost: first %q, %s at %s", app, len(volumes), v.Name, units.Bytes(v.Size), v.Mount),
		fmt.Sprintf("remove each: `ps:stop %s`, then `volumes:remove %s %s --confirm %s`", app, app, v.Name, v.Name))
}

// RenameApp gives an app another name, and with it another host name. Its machine keeps the old name until the next
// release.
func (s *Apps) RenameApp(_ context.Context, by core.Actor, from, to string) error {
	if err := core.CheckName(to); err != nil {
		return err
	}
	return s.cfg.Deployer.Operate(by, from, "its renaming", false, nil, func(ctx context.Context, t *deploy.Turn) error {
		if err := t.Unlocked(); err != nil {
			return err
		}
		release, err := s.cfg.Fleet.Stage(ctx, from)
		if err != nil {
			return err
		}
		defer release()
		switch err := s.cfg.Ledger.RenameApp(ctx, from, to); {
		case errors.Is(err, core.ErrTaken):
			return core.Reject(fmt.Sprintf("there is an app %q already", to), "choose another name")
		case err != nil:
			return err
		}
		// Before requests can come to the new name. If it fails, none do until the next start of gitd.
		if err := s.cfg.Rules.Serve(ctx, to); err != nil {
			return err
		}
		s.cfg.Trail.Note(ctx, from, by.Name, "app.rename", "to "+to)
		s.cfg.Trail.Note(ctx, to, by.Name, "app.rename", "from "+from)
		s.cfg.Deployer.Rename(from, to)
		s.cfg.Fleet.Rename(from, to)
		s.cfg.OneOffs.Rename(from, to)
		s.cfg.Linked(ctx, to)(ctx)
		return errors.Join(s.serveNames(ctx, to), s.moveFiles(ctx, from, to))
	})
}

// moveFiles gives an app's files its new name. The ledger keeps the old name until that is done, so that the next start
// of gitd can finish it.
func (s *Apps) moveFiles(ctx context.Context, from, to string) (err error) {
	for _, files := range s.files() {
		err = errors.Join(err, files.Rename(ctx, from, to))
	}
	if err != nil {
		return err
	}
	err = s.cfg.Ledger.ChangeApp(ctx, to, func(a *core.App) error { a.FormerName = ""; return nil })
	s.cfg.Label(ctx, to)
	return err
}

func (s *Apps) files() []Files {
	return []Files{s.cfg.Repos, s.cfg.Output, s.cfg.BuildLogs, s.cfg.Access}
}

// Package apps is what people do to an app besides pushing to it: they make, rename, lock, stop, start and destroy it,
// and set its config, its resources, its domains and its volumes.
//
// It owns the order of such a change, and undoes the change if the app does not run with it. It does not own how a
// release is deployed (package deploy) nor what serves an app (package fleet).
package apps

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/quota"
)

// Config is what Apps works with. Every field is required.
type Config struct {
	State    core.StateDir
	Ledger   Ledger
	Deployer *deploy.Deployer
	Fleet    *fleet.Fleet
	OneOffs  *oneoff.Machines
	Quotas   *quota.Gate
	Names    Names
	Rules    Rules
	// Linked finds the apps that are linked to app. The function that it returns has their machines know what has
	// become of app since.
	Linked    func(ctx context.Context, app string) (tell func(ctx context.Context))
	Repos     Files
	Output    Files
	BuildLogs Files
	Access    Files // the requests of each app
	Trail     *audit.Trail
	Log       *slog.Logger

	Label  func(ctx context.Context, app string) // writes what the ledger knows of app into its folders
	URL    func(app string) string               // where people find an app
	Domain string                                // each app has its own name below this domain

	Capacity core.Resources // of the host that machines run on; zero fields are not known
}

// Apps changes apps. Its methods are safe for concurrent use.
type Apps struct{ cfg Config }

// New makes an Apps.
func New(cfg Config) *Apps { return &Apps{cfg} }

// CreateApp makes an app to which nothing has been pushed yet. An existing one is refused.
func (s *Apps) CreateApp(ctx context.Context, by core.Actor, app string) error {
	made, err := s.EnsureApp(ctx, by, app)
	if err == nil && !made {
		return core.Reject(fmt.Sprintf("there is an app %q already", app), "choose another name")
	}
	return err
}

// EnsureApp makes app if it does not exist, as a first push does. There is no other way to make an app.
func (s *Apps) EnsureApp(ctx context.Context, by core.Actor, app string) (made bool, err error) {
	if err := core.CheckName(app); err != nil {
		return false, err
	}
	switch _, err := s.cfg.Ledger.App(ctx, app); {
	case err == nil:
		return false, nil
	case !errors.Is(err, core.ErrNotFound):
		return false, err
	}
	most, err := s.cfg.Quotas.MayMake(ctx, by.Name)
	if err != nil {
		return false, err
	}
	switch made, err := s.cfg.Ledger.FoundApp(ctx, app, by.Name, most); {
	case errors.Is(err, core.ErrTooMany):
		return false, quota.TooManyApps(by.Name, most)
	case err != nil || !made:
		return false, disk.Rejected(err)
	}
	if !s.cfg.Fleet.Serving(app) { // somebody else may have made and deployed it in the meantime
		s.cfg.Fleet.Down(app, "nothing has been deployed yet", false)
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "app.create", "")
	return true, nil
}

// LockApp makes deployments of app be refused from now on, with the reason. A deployment that runs goes on.
func (s *Apps) LockApp(ctx context.Context, by core.Actor, app, reason string) error {
	reason = progress.OneLine(reason)
	err := s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		if a.Lock.Held() {
			return core.Reject(fmt.Sprintf("%s is locked by %s already: %s", app, a.Lock.By, a.Lock.Reason), "")
		}
		a.Lock = core.Lock{By: by.Name, Reason: reason, Since: time.Now()}
		return nil
	})
	if err == nil {
		s.cfg.Label(ctx, app)
		s.cfg.Trail.Note(ctx, app, by.Name, "app.lock", reason)
	}
	return disk.Rejected(err)
}

// UnlockApp ends what LockApp began.
func (s *Apps) UnlockApp(ctx context.Context, by core.Actor, app string) error {
	err := s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		if !a.Lock.Held() {
			return core.Reject(app+" is not locked", "")
		}
		a.Lock = core.Lock{}
		return nil
	})
	if err == nil {
		s.cfg.Label(ctx, app)
		s.cfg.Trail.Note(ctx, app, by.Name, "app.unlock", "")
	}
	return disk.Rejected(err)
}

package cli

import (
	"context"
	"errors"
	"fmt"

	"gitd/internal/core"
)

// errAdmin is the answer to a command that the caller may not run.
var errAdmin = errors.New("only an administrator may do this")

func (t *tree) admin() error {
	if !t.Admin {
		return errAdmin
	}
	return nil
}

// app finds an app on which the caller needs role r. The role is looked at
// before the ledger: an app that the caller may not see is answered with the
// words for one that does not exist, and in the same time.
func (t *tree) app(ctx context.Context, name string, r core.Role) (core.App, error) {
	if !t.May(name, core.RoleView) {
		return core.App{}, NoApp(name)
	}
	a, err := t.Ledger.App(ctx, name)
	if errors.Is(err, core.ErrNotFound) {
		return a, NoApp(name)
	}
	if err != nil {
		return a, err
	}
	return a, Allowed(t.Actor, name, r)
}

// NoApp is the answer for an app that does not exist, or not for this caller.
func NoApp(name string) error {
	return fmt.Errorf("there is no app %q; `apps` lists yours, and an administrator can give you more: users:grant", name)
}

// Allowed reports why a, who may see the app, may not do what needs role r.
func Allowed(a core.Actor, app string, r core.Role) error {
	if a.May(app, r) {
		return nil
	}
	return fmt.Errorf("your role on %s is %s; this needs %s: an administrator can give it to you with users:grant %s %s %s",
		app, a.Role(app), r, a.Name, app, r)
}

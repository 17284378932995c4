package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// AdminOnly is a command for administrators. Everyone else is told that, and
// nothing about what they typed.
func (c Shared) AdminOnly(run runE) runE {
	return func(cmd *cobra.Command, a []string) error {
		if !c.Admin {
			return people.ErrNotAdmin
		}
		return run(cmd, a)
	}
}

// runE is the work of a command.
type runE = func(cmd *cobra.Command, args []string) error

// App finds an app on which the caller needs role r. The role is looked at
// before the ledger: an app that the caller may not see is answered with the
// words for one that does not exist, and in the same time.
func (c Shared) App(ctx context.Context, name string, r core.Role) (core.App, error) {
	if !c.May(name, core.RoleView) {
		return core.App{}, NoApp(name)
	}
	a, err := c.Ledger.App(ctx, name)
	if errors.Is(err, core.ErrNotFound) {
		return a, NoApp(name)
	}
	if err != nil {
		return a, err
	}
	return a, Allowed(c.Actor, name, r)
}

// NoApp is the answer for an app that does not exist, or not for this caller.
func NoApp(name string) error {
	return denied("there is no app %q; `apps` lists yours, and an administrator can give you more: users:grant", name)
}

// Denied is an error that says that somebody may not do something, or not even know of it.
type Denied struct{ why string }

func (e *Denied) Error() string { return e.why }

func denied(format string, args ...any) error { return &Denied{fmt.Sprintf(format, args...)} }

// Allowed reports why a, who may see the app, may not do what needs role r.
func Allowed(a core.Actor, app string, r core.Role) error {
	if a.May(app, r) {
		return nil
	}
	return denied("your role on %s is %s; this needs %s: an administrator can give it to you with users:grant %s %s %s",
		app, a.Role(app), r, a.Name, app, r)
}

// Package front is the commands about the front door of an app: who gets in, and what came.
//
// It owns their words and tables. It does not own what a rule means (package rules of the core), nor how it is kept
// (the front door).
package front

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

type commands struct{ command.Shared }

// gateCommands say who gets in.
type gateCommands struct{ commands }

// Commands are those about the rules of an app.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	g := gateCommands{c}
	return []*cobra.Command{
		g.auth(), g.authSet(), g.authRemove(), g.allow(), g.allowAdd(), g.allowRemove(), c.limits(),
		c.maintenance(), c.maintenanceOn(), c.maintenanceOff(), c.pages(), c.pagesSet(), c.pagesRemove(),
	}
}

// Looks are those that only show what came.
func Looks(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.access()}
}

// rulesOf are the rules of an app that the caller may see.
func (c commands) rulesOf(ctx context.Context, app string) (rules.Set, error) {
	if _, err := c.App(ctx, app, core.RoleView); err != nil {
		return rules.Set{}, err
	}
	return c.Settings.Rules(ctx, app)
}

// page reads a page from standard input.
func (c commands) page() (string, error) {
	text, err := io.ReadAll(io.LimitReader(c.In, rules.MaxPage+1))
	return string(text), err
}

func (c commands) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.Out, format+"\n", args...)
	return err
}

// Package sleeping is the commands about apps that sleep while nobody asks them anything.
//
// It owns their words. It does not own when an app falls asleep, nor how it wakes (package sleep).
package sleeping

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

type commands struct{ command.Shared }

// Commands are those of this package, in the order of `help`.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.set(), c.sleep(), c.wake()}
}

func (c commands) sleep() *cobra.Command {
	return c.Operation("sleep", "put an app to sleep now: the next request wakes it", "sleep shop", core.RoleDeploy,
		func(ctx context.Context, app string) error {
			if err := c.Sleepers.Sleep(ctx, c.Actor, app, c.Out); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.Out, "%s sleeps; the next request wakes it\n", app)
			return err
		})
}

func (c commands) wake() *cobra.Command {
	return c.Operation("wake", "wake an app that sleeps, without a request", "wake shop", core.RoleDeploy,
		func(ctx context.Context, app string) error {
			if err := c.Sleepers.Wake(ctx, c.Actor, app, c.Out); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.Out, "%s is awake\n", app)
			return err
		})
}

func (c commands) set() *cobra.Command {
	cmd := &cobra.Command{
		Use: "sleep:set APP [TIME|never|default]", Short: "show or set after which time without a request an app falls asleep",
		Long: "Show or set after which time without a request an app falls asleep. Its memory is saved to a file and given back;\n" +
			"the next request, by HTTP or TCP, waits until the app goes on, and is answered by it. default is what the operator\n" +
			"of this server has set. Apps with a volume, and those with other processes than one of web, do not sleep.",
		Example: "sleep:set shop\nsleep:set shop 15m\nsleep:set shop never", Args: command.Args(cobra.RangeArgs(1, 2)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if len(a) == 2 {
			return c.setAfter(cmd, a[0], a[1])
		}
		app, err := c.App(cmd.Context(), a[0], core.RoleView)
		if err != nil {
			return err
		}
		return c.show(cmd.Context(), app.Name, *asJSON)
	}
	return cmd
}

// show prints the setting of an app.
func (c commands) show(ctx context.Context, app string, asJSON bool) error {
	after, set, err := c.Sleepers.After(ctx, app)
	if err != nil {
		return err
	}
	by := "the server's default"
	if set {
		by = "set for this app"
	}
	row := map[string]any{"sleep_after_seconds": after.Seconds(), "set": set}
	return c.List(asJSON, row, [][]string{{"APP", "SLEEPS AFTER", "BY"}, {app, text(after), by}})
}

func text(after time.Duration) string {
	if after == 0 {
		return "never"
	}
	return after.String()
}

func (c commands) setAfter(cmd *cobra.Command, name, word string) error {
	after, err := parse(word)
	if err != nil {
		return command.Misuse(cmd, err)
	}
	app, err := c.App(cmd.Context(), name, core.RoleAdmin)
	if err != nil {
		return err
	}
	if err := c.Sleepers.SetAfter(cmd.Context(), c.Actor, app.Name, after); err != nil {
		return err
	}
	return c.show(cmd.Context(), app.Name, false)
}

// parse reads a time, never (0) or default (nil).
func parse(word string) (after *time.Duration, err error) {
	switch word {
	case "default":
		return nil, nil
	case "never":
		return new(time.Duration(0)), nil
	}
	d, err := time.ParseDuration(word)
	if err != nil || d <= 0 {
		return nil, fmt.Errorf("%q is no time: write 15m, 1h30m, never or default", word)
	}
	return &d, nil
}

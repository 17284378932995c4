// Package bases is the commands about what all machines boot from: what is there, what is newer, and the way of the
// apps from one base to another.
//
// It owns their words and tables, and the comparison of what apps have with what there is. It does not own how apps are
// moved (package rollout), nor where versions come from.
package bases

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/schedule"
	"github.com/nodeos-dev/gitd/internal/units"
)

type commands struct{ command.Shared }

// Commands are those of this package, in the order of `help`.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.base(), c.list(), c.update(), c.rollback(), c.diff()}
}

// mayMove reports why the caller may not move these apps, or nil. All apps are for administrators.
func (c commands) mayMove(ctx context.Context, apps []string) error {
	if len(apps) == 0 && !c.Admin {
		return people.ErrNotAdmin
	}
	for _, app := range apps {
		if _, err := c.App(ctx, app, core.RoleAdmin); err != nil {
			return err
		}
	}
	return nil
}

func (c commands) update() *cobra.Command {
	cmd := &cobra.Command{
		Use: "base:update [APP…]", Short: "move apps onto the newest base, one at a time; those that do not come up stay",
		Long: "Move apps onto the newest base: Debian's kernel and libraries, the certificates, and Node. Nothing is built:\n" +
			"each app gets a new release with its present image, by the same health check and switch as a push. An app that\n" +
			"does not come up stays where it was, and is listed; the exit code is 1 then. Ctrl-C ends it after the present app.",
		Example: "base:update\nbase:update shop blog\nbase:update --node 22\nbase:update --kernel\nbase:update --schedule '0 3 * * *'\nbase:update --schedule off",
		Args:    command.Args(cobra.ArbitraryArgs),
	}
	var wish core.BaseWish
	f := cmd.Flags()
	f.StringVar(&wish.Node, "node", "", "a version or a line of Node: only apps that take it are moved, and go to it")
	f.BoolVar(&wish.Kernel, "kernel", false, "compile the minimal kernel first, if its source is newer: ten minutes on two cores")
	when := f.String("schedule", "", `do it by itself: "0 3 * * *", as cron has it, or with "TZ=Europe/Berlin " before it; off: no more`)
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, apps []string) error {
		wish.Apps = apps
		if f.Changed("schedule") {
			if len(apps) > 0 || wish.Node != "" || wish.Kernel {
				return command.Misuse(cmd, errors.New("--schedule is for all apps, and stands alone"))
			}
			return c.schedule(cmd, *when)
		}
		if err := c.mayMove(cmd.Context(), apps); err != nil {
			return err
		}
		if wish.Kernel && !c.Admin {
			return people.ErrNotAdmin
		}
		u, err := c.Bases.Update(cmd.Context(), c.Actor, wish, c.progress(*asJSON))
		return c.show(u, err, *asJSON)
	}
	return cmd
}

// schedule sets when updates happen by themselves.
func (c commands) schedule(cmd *cobra.Command, text string) error {
	if !c.Admin {
		return people.ErrNotAdmin
	}
	zone := ""
	if text == "off" {
		text = ""
	} else {
		text, zone = schedule.Split(text)
		if err := schedule.Check(text, zone); err != nil {
			return command.Misuse(cmd, fmt.Errorf("%q is no schedule: %w", progress.Shorten(text), err))
		}
	}
	if err := c.Bases.SetSchedule(cmd.Context(), c.Actor, text, zone); err != nil {
		return err
	}
	due, err := c.Bases.Due(cmd.Context())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Out, nextUpdate(due))
	return err
}

func nextUpdate(due time.Time) string {
	if due.IsZero() {
		return "bases are updated by `base:update` only"
	}
	return "bases are updated by themselves, next at " + due.Format("2006-01-02 15:04 MST")
}

func (c commands) rollback() *cobra.Command {
	cmd := &cobra.Command{
		Use: "base:rollback [APP…]", Short: "move apps back onto the base that they had before the last base:update",
		Long: "Move the apps of the last update back onto the base that each had before, as base:update moves them. What was\n" +
			"pushed since stays: only the base changes. Another base:rollback undoes the update before. The next push of an\n" +
			"app takes the newest base again.",
		Example: "base:rollback\nbase:rollback shop", Args: command.Args(cobra.ArbitraryArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, apps []string) error {
		if err := c.mayMove(cmd.Context(), apps); err != nil {
			return err
		}
		u, err := c.Bases.Rollback(cmd.Context(), c.Actor, apps, c.progress(*asJSON))
		return c.show(u, err, *asJSON)
	}
	return cmd
}

// show lists what became of each app. The exit code says whether one has failed.
func (c commands) show(u core.BaseUpdate, err error, asJSON bool) error {
	if err != nil {
		return err
	}
	if asJSON {
		err = c.JSON(jsonOf(u))
	} else {
		err = c.table(u)
	}
	if failed := u.Count(core.BaseFailed) + u.Count(core.BaseWaits); err == nil && failed > 0 {
		return command.Silent(1)
	}
	return err
}

func (c commands) table(u core.BaseUpdate) error {
	if len(u.Moves) == 0 {
		_, err := fmt.Fprintln(c.Out, "every app is on the newest base already")
		return err
	}
	rows := [][]string{{"APP", "RELEASE", "RESULT", "NODE", "BASE", "TOOK", "WHY"}}
	for _, m := range u.Moves {
		at, result, took, release := m.Was, string(m.State), "-", "-"
		if m.State == core.BaseMoved {
			at = m.Is
		}
		if m.Took > 0 {
			took = units.Took(m.Took)
		}
		if m.Release > 0 {
			release = fmt.Sprintf("v%d", m.Release)
		}
		if m.State == core.BaseWaits {
			result, m.Reason = "not begun", "it was interrupted: `base:update` goes on"
		}
		rows = append(rows, []string{m.App, release, result, at.Node, at.ID, took, progress.Printable(m.Reason)})
	}
	return c.Table(rows)
}

// updateRow is an update, for programs.
type updateRow struct {
	ID    int             `json:"id"`
	Undo  int             `json:"undo,omitempty"`
	By    string          `json:"by"`
	Begun time.Time       `json:"begun"`
	Ended time.Time       `json:"ended,omitzero"`
	Apps  []core.BaseMove `json:"apps"`
}

func jsonOf(u core.BaseUpdate) updateRow {
	return updateRow{u.ID, u.Undo, u.By.Name, u.Begun, u.Ended, append([]core.BaseMove{}, u.Moves...)}
}

// Package tasks is the commands about one-off machines: what a person runs beside an app.
//
// It owns their words, and how the streams of a caller become those of a command. It does not own the machines (package
// oneoff).
package tasks

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

type commands struct{ command.Shared }

// Commands are those of this package, in the order of `help`.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.run(), c.runList(), c.runStop(), c.cron(), c.cronRun()}
}

func (c commands) runList() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run:list APP", Short: "list the commands that run beside an app: run, release and cron", Args: command.Args(cobra.ExactArgs(1)),
		Example: "run:list shop\nrun:list shop --json",
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		all := c.Tasks.Of(a[0])
		rows := [][]string{{"MACHINE", "WHAT", "COMMAND", "BY", "RELEASE", "SINCE"}}
		for _, i := range all {
			rows = append(rows, []string{i.ID, i.What, progress.Printable(i.Command), i.By, "v" + strconv.Itoa(i.Release), terminal.Ago(i.Since)})
		}
		if all == nil {
			all = []oneoff.Info{}
		}
		return c.List(*asJSON, all, rows)
	}
	return cmd
}

func (c commands) runStop() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run:stop APP MACHINE", Short: "end a command that runs beside an app", Args: command.Args(cobra.ExactArgs(2)),
		Example: "run:stop shop shop-v3-run-9f2c1a",
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		if a[1] == "" || c.Tasks.End(a[0], a[1], "ended by "+c.Name) == 0 {
			return core.Reject(fmt.Sprintf("no command of %s runs in a machine %.64q", a[0], a[1]), "`run:list "+a[0]+"` lists them")
		}
		_, err := fmt.Fprintf(c.Out, "%s is told to end\n", a[1])
		return err
	}
	return cmd
}

// mostTime is how long a caller's own time limit may be.
const mostTime = 7 * 24 * time.Hour

func checkTimeout(d time.Duration) error {
	if d < 0 || d > mostTime {
		return fmt.Errorf("--timeout %s: use a time of up to %s", d, mostTime)
	}
	return nil
}

// ended is what a command's end means for its caller: the same exit code, and a word of what its own output does not
// say.
func (c commands) ended(ctx context.Context, e oneoff.Ended, err error) error {
	switch {
	case oneoff.Interrupted(err) || ctx.Err() != nil && err != nil:
		return command.Silent(130) // as a shell has it after ^C
	case err != nil:
		return err
	case e.Code == 0:
		return nil
	}
	r := progress.NewReport(c.Err)
	if e.Code == 127 || e.Code > 128 || e.Memory > 0 {
		r.Warn("%s", e.Reason)
	}
	if e.Memory > 0 {
		r.Warn("`run --memory %dM` gives it more", 2*e.Memory)
	}
	return command.Silent(e.Code)
}

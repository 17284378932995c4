package tasks

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

func (c commands) cron() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cron APP", Short: "list the jobs of an app, with their last and next runs", Args: command.Args(cobra.ExactArgs(1)),
		Example: "cron shop\ncron shop --json",
		Long: "List the jobs of the live release, which nodeos.cron in package.json names, or cron in app.json. Each run has a\n" +
			"machine of its own; what it says is in the app's log. Times are in UTC, unless a job names another zone.",
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		jobs, err := c.Tasks.Jobs(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		rows := [][]string{{"JOB", "SCHEDULE", "COMMAND", "OVERLAP", "LAST", "RESULT", "NEXT"}}
		for _, j := range jobs {
			rows = append(rows, row(j))
		}
		return c.List(*asJSON, jobs, rows)
	}
	return cmd
}

func row(j oneoff.JobInfo) []string {
	next := "-"
	if !j.Next.IsZero() {
		next = j.Next.UTC().Format("2006-01-02 15:04")
	}
	result := j.Result
	if j.Running {
		result = "runs now"
	}
	return []string{
		strconv.Itoa(j.Number), j.Schedule + " " + j.Zone, progress.Printable(j.Command), j.Overlap,
		terminal.Ago(j.Last), terminal.OrDash(progress.Printable(result)), next,
	}
}

func (c commands) cronRun() *cobra.Command {
	cmd := &cobra.Command{
		Use: CronRunName + " APP JOB", Short: "run a job of an app now", Args: command.Args(cobra.ExactArgs(2)),
		Example: "cron:run shop 1",
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		number, err := strconv.Atoi(strings.TrimPrefix(a[1], "cron."))
		if err != nil {
			return command.Misuse(cmd, fmt.Errorf("%.20q is no number of a job", a[1]))
		}
		if err := c.Stays(); err != nil {
			return err
		}
		began := time.Now()
		e, err := c.Tasks.RunJob(cmd.Context(), c.Actor, a[0], number, &oneoff.Streams{In: c.In, Out: c.Out, Err: c.Err})
		if err == nil && e.Code == 0 {
			progress.NewReport(c.Err).Detail("%s, %s", e.Reason, time.Since(began).Round(100*time.Millisecond))
		}
		return c.ended(cmd.Context(), e, err)
	}
	return cmd
}

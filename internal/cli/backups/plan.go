package backups

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/backup"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

// planLine is what makes a plan.
const planLine = "backup:schedule '0 2 * * *' --to /srv/backups --keep 7d,4w"

func (c commands) schedule() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup:schedule ['M H D M W' --to DIR --keep 7d,4w | off]", DisableFlagsInUseLine: true,
		Short:   "make backups by themselves, into a folder of the host, or say when they are made",
		Example: planLine + "\nbackup:schedule off", Args: command.Args(cobra.MaximumNArgs(1)),
	}
	to := cmd.Flags().String("to", "", "the folder, on another disk than the state folder; gitd's user must be able to write there")
	keep := cmd.Flags().String("keep", "7d,4w,12m", "the newest of each of so many hours (h), days, weeks, months, years are kept")
	key := cmd.Flags().Bool("with-key", false, "the keys too: keep such backups as you keep them")
	layers := cmd.Flags().Bool("layers", false, "the images too: a restore then builds nothing")
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		ctx := cmd.Context()
		switch {
		case len(a) == 0 && cmd.Flags().NFlag() > 0:
			return command.Misuse(cmd, errors.New("a schedule is needed, for example: "+planLine))
		case len(a) == 0:
			return c.sayPlan(ctx)
		case !c.onHost():
			return core.Reject("backups go into a folder of the host, so who is there says which", "type it on the host: gitd "+planLine)
		case a[0] == "off":
			if err := c.Backups.SetPlan(ctx, c.Actor, nil); err != nil {
				return err
			}
			progress.NewReport(c.Out).Step("No backups are made by themselves any more; those that are there stay")
			return nil
		case *to == "":
			return command.Misuse(cmd, errors.New("a folder is needed, for example: "+planLine))
		}
		err := c.Backups.SetPlan(ctx, c.Actor, &core.BackupPlan{Schedule: a[0], Dir: *to, Keep: *keep, Secrets: *key, Layers: *layers})
		if err != nil {
			return err
		}
		return c.sayPlan(ctx)
	})
	return cmd
}

func (c commands) sayPlan(ctx context.Context) error {
	r := progress.NewReport(c.Out)
	p, err := c.Backups.Plan(ctx)
	if errors.Is(err, core.ErrNotFound) {
		r.Step("No backups are made by themselves; on the host: gitd %s", planLine)
		return nil
	}
	if err != nil {
		return err
	}
	r.Step("%s: backups go to %s, and %s of them are kept; the next one is made at %s", p.Schedule, p.Dir, p.Keep, c.Backups.Due(p).Format(time.RFC3339))
	if !p.Secrets {
		r.Detail("they have no keys: keep a copy of gitd.db.key elsewhere, or use --with-key")
	}
	if p.Problem != "" {
		r.Warn("the one of %s has failed: %s", p.Last.Format(time.RFC3339), p.Problem)
	}
	return nil
}

type listRow struct {
	File string    `json:"file"`
	Time time.Time `json:"time"`
	Size int64     `json:"size"` // bytes
}

func (c commands) list() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup:list", Short: "list the backups that were made by themselves", Example: "backup:list", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		p, err := c.Backups.Plan(cmd.Context())
		if errors.Is(err, core.ErrNotFound) {
			return core.Reject("no backups are made by themselves", "on the host: gitd "+planLine)
		}
		if err != nil {
			return err
		}
		all, err := backup.List(p.Dir)
		if err != nil {
			return fmt.Errorf("the folder of the backups: %w", err)
		}
		list, rows := []listRow{}, [][]string{{"BACKUP", "MADE", "SIZE"}}
		for _, k := range all {
			list = append(list, listRow{k.Path, k.Time, k.Size})
			rows = append(rows, []string{filepath.Base(k.Path), terminal.Ago(k.Time), units.Bytes(k.Size)})
		}
		return c.List(*asJSON, list, rows)
	})
	return cmd
}

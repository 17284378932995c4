package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// logOptions are the flags of `logs`.
type logOptions struct {
	follow  bool
	num     int
	release string
	process string
	build   bool
}

// of chooses lines: those of a release, unless that is 0, and of a process, unless that is "". nil chooses all.
func (o logOptions) of(release int) func(core.Line) bool {
	if release == 0 && o.process == "" {
		return nil
	}
	return func(l core.Line) bool {
		return (release == 0 || l.Release == release) && (o.process == "" || l.Of(o.process))
	}
}

func (c runCommands) logs() *cobra.Command {
	cmd := &cobra.Command{
		Use: "logs APP [-t] [-n N] [--release vN] [--ps PROCESS] [--build]", DisableFlagsInUseLine: true,
		Short: "show what an app said, or what its build printed", Args: command.Args(cobra.ExactArgs(1)),
		Example: "logs shop -t\nlogs shop -n 500 --release v12\nlogs shop --ps worker\nlogs shop --build",
	}
	var o logOptions
	cmd.Flags().BoolVarP(&o.follow, "tail", "t", false, "go on with new lines, through swaps, until interrupted")
	cmd.Flags().IntVarP(&o.num, "num", "n", 100, "how many lines")
	cmd.Flags().StringVar(&o.release, "release", "", "of this release only, for example v12")
	cmd.Flags().StringVar(&o.process, "ps", "", "of this process only, for example web or worker.1")
	cmd.Flags().BoolVar(&o.build, "build", false, "what the deployment printed, the newest or that of --release")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		release, err := command.ParseVersion(o.release)
		switch {
		case err != nil:
			return command.Misuse(cmd, err)
		case o.build:
			return c.showBuild(cmd.Context(), a[0], release)
		case o.follow:
			return c.followLog(cmd.Context(), a[0], max(o.num, 0), o.of(release))
		default:
			return c.showLog(a[0], max(o.num, 0), o.of(release))
		}
	}
	return cmd
}

func (c runCommands) showLog(app string, num int, of func(core.Line) bool) error {
	for l, err := range c.Logs.Tail(app, num, of) {
		if err == nil {
			err = c.logLine(l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c runCommands) followLog(ctx context.Context, app string, num int, of func(core.Line) bool) error {
	if err := c.Stays(); err != nil {
		return err
	}
	lines, err := c.Logs.Follow(ctx, app, num)
	if err != nil {
		return err
	}
	for l := range lines {
		if of != nil && !of(l) {
			continue
		}
		if err := c.logLine(l); err != nil {
			return err
		}
	}
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why // what was followed goes on, and cannot be
	}
	return nil
}

func (c runCommands) logLine(l core.Line) error {
	head := fmt.Sprintf("%s %s %s:", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), l.Who(), l.Stream)
	if c.Terminal != nil {
		head = terminal.Dim(head)
	}
	_, err := fmt.Fprintf(c.Out, "%s %s\n", head, progress.Printable(l.Text))
	return err
}

// showBuild prints what the deployment of a release printed; release 0 is the
// newest of which something was kept.
func (c runCommands) showBuild(ctx context.Context, app string, release int) error {
	versions := []int{release}
	if release == 0 {
		list, err := c.Ledger.Releases(ctx, app, 0)
		if err != nil {
			return err
		}
		versions = versions[:0]
		for _, r := range list {
			versions = append(versions, r.Version)
		}
	}
	for _, v := range versions {
		text, err := c.Builds.Text(app, v)
		if errors.Is(err, core.ErrNotFound) {
			continue
		}
		if err == nil {
			_, err = io.WriteString(c.Out, text)
		}
		return err
	}
	return core.Reject("no build output is kept of that", "`releases "+app+"` lists what there was; the newest 50 keep theirs")
}

package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

// The commands whose input is that of a program.
const (
	RunName     = "run"
	CronRunName = "cron:run"
)

// runOptions are the flags of `run`.
type runOptions struct {
	tty, noTTY, detach bool
	env                []string
	memory             string
	timeout            time.Duration
}

func (c commands) run() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "run APP [-t|--no-tty] [--env NAME=VALUE] [--detach] [--memory 512M] [--timeout 1h] -- COMMAND...",
		DisableFlagsInUseLine: true,
		Short:                 "run a command beside an app, in a machine of its own with the app's image and config",
		Example:               "run shop -- node script.js\nrun shop -- npm run migrate\nrun shop --detach -- node import.js\nrun shop worker",
		Args:                  command.Args(cobra.MinimumNArgs(1)),
		Long: "Run a command in a machine of its own, with the image and the config of the live release. Its output, its input\n" +
			"and its exit code are those of this command. The words after -- are its arguments, as they are: no shell reads\n" +
			"them. A word that names a process of the Procfile runs that. With a terminal (ssh -t) it runs on one.\n" +
			"The machine ends with the command, and with whoever runs it, unless it is detached. It has none of the app's\n" +
			"volumes, each of which belongs to one machine at a time.",
	}
	var o runOptions
	cmd.Flags().BoolVarP(&o.tty, "tty", "t", false, "insist on a terminal")
	cmd.Flags().BoolVarP(&o.noTTY, "no-tty", "T", false, "without a terminal, though there is one")
	cmd.Flags().BoolVarP(&o.detach, "detach", "d", false, "return at once; its output is in the app's log")
	cmd.Flags().StringArrayVarP(&o.env, "env", "e", nil, "a variable for this command alone; may be given again")
	cmd.Flags().StringVar(&o.memory, "memory", "", "of its machine, for example 512M; as the app's otherwise")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 0, "end it after this time; gitd's --run-timeout otherwise")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		w, err := c.wish(cmd.Context(), a[0], a[1:], o)
		if err != nil {
			return command.Misuse(cmd, err)
		}
		if w.Streams != nil {
			if err := c.Stays(); err != nil {
				return err
			}
		}
		ended, err := c.Tasks.Run(cmd.Context(), c.Actor, w)
		return c.ended(cmd.Context(), ended, err)
	}
	return cmd
}

// wish is what the caller has typed.
func (c commands) wish(ctx context.Context, app string, words []string, o runOptions) (w oneoff.Wish, err error) {
	w = oneoff.Wish{App: app, Words: words, Timeout: o.timeout}
	w.Tell = func(note string) { progress.NewReport(c.Err).Detail("%s", note) }
	switch {
	case len(words) == 0:
		return w, errors.New("there is no command to run: `run " + app + " -- node script.js`")
	case o.tty && (o.noTTY || o.detach):
		return w, errors.New("--tty goes with neither --no-tty nor --detach")
	case o.tty && c.Terminal == nil:
		return w, errors.New("there is no terminal here: " + c.Door.SSH("nodeos", "-t") + " asks ssh for one")
	}
	if w.Env, err = variables(o.env); err != nil {
		return w, err
	}
	if o.memory != "" {
		size, err := units.ParseBytes(o.memory)
		if err != nil || size < 1<<20 {
			return w, fmt.Errorf("--memory %.20q: use a size such as 256M or 1G", o.memory)
		}
		w.MemoryMiB = int(size >> 20)
	}
	if err := checkTimeout(o.timeout); err != nil || o.detach {
		return w, err
	}
	w.Streams = &oneoff.Streams{In: c.In, Out: c.Out, Err: c.Err}
	if t := c.Terminal; t != nil && !o.noTTY {
		form := func(s terminal.Size) core.Size { return core.Size{Columns: s.Width, Rows: s.Height} }
		size := form(t.Size)
		w.Terminal, w.Streams.Resized = &size, terminal.Sizes(ctx, t.Resized, form)
	}
	return w, nil
}

// variables are those of the flag --env, which Heroku's users also give as "A=1;B=2".
func variables(flags []string) (map[string]string, error) {
	all := map[string]string{}
	for _, f := range flags {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			return nil, fmt.Errorf("--env %.40q: use NAME=VALUE", f)
		}
		all[name] = value
	}
	return all, nil
}

// TakesKeys reports whether a command line is of a command that gets the keys of its caller's terminal as they are.
func TakesKeys(words []string) bool {
	if len(words) == 0 || words[0] != RunName {
		return false
	}
	for _, w := range words {
		if w == "--" {
			break
		}
		if slices.Contains([]string{"--no-tty", "-T", "--no-tty=true", "--detach", "-d", "--detach=true"}, w) {
			return false
		}
	}
	return true
}

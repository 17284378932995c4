package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/accounts"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/front"
	"github.com/nodeos-dev/gitd/internal/cli/tasks"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/overview"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

// OverviewName is the command that draws on its caller's terminal.
const OverviewName = "overview"

// TakesKeys reports whether a command line is of a command that gets the keys of its caller's terminal as they are.
func TakesKeys(words []string) bool {
	return len(words) > 0 && words[0] == OverviewName || tasks.TakesKeys(words)
}

// HidesInput reports whether a command line is of a command that reads a secret: what is typed must not be shown.
func HidesInput(words []string) bool { return front.HidesInput(words) }

// Governs reports whether a command, which its name calls, is one by which its caller ends what they have too much of.
func Governs(name string) bool {
	return name == accounts.SessionsName || name == accounts.SessionsEndName
}

// Waits reports whether a command line is of a command that may wait for its input for as long as it likes: what reads
// it is a program of the caller's.
func Waits(words []string) bool {
	return len(words) > 0 && (words[0] == tasks.RunName || words[0] == tasks.CronRunName)
}

func (c runCommands) overview() *cobra.Command {
	line := c.Door.SSH("nodeos", "-t")
	example := line
	if c.Door == (command.Door{}) { // on the host, where help is printed without asking the daemon
		example = OverviewName
	}
	cmd := &cobra.Command{
		Use: OverviewName, Short: "watch your apps in this terminal: arrow keys, enter for an app's log, ? for all keys, q leaves",
		Example: example, Args: command.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.Terminal == nil {
			return core.Reject("the overview needs a terminal", "ask ssh for one: "+line+"; or list with `apps`")
		}
		if err := c.Stays(); err != nil {
			return err
		}
		return overview.Show(cmd.Context(), overviewSource{appCommands(c)}, overview.Screen{
			Window: *c.Terminal, In: c.In, Out: c.Out, Empty: NoApps(c.Caller),
		})
	}
	return cmd
}

// NoApps is what somebody who sees no app is told: those who may push read how, and nobody else.
func NoApps(c command.Caller) string {
	app := "APP"
	for _, name := range slices.Sorted(maps.Keys(c.Grants)) {
		if c.May(name, core.RoleDeploy) {
			app = name
			break
		}
	}
	if c.Limit != (core.Limit{}) {
		app = c.Limit.App
	}
	if !c.MayDeploy() {
		return "You see no app. An administrator can let you see one: users:grant " + c.Name + " APP view"
	}
	return "No app yet. The first push makes one: git push " + c.Door.Remote(app) + " main"
}

// overviewSource shows what the caller may see. Its errors are in the words
// of a command's.
type overviewSource struct{ apps appCommands }

// Rows implements overview.Source.
func (s overviewSource) Rows(ctx context.Context) ([]overview.Row, error) {
	apps, err := s.apps.appRows(ctx)
	if err != nil {
		return nil, errors.New(errorText(err))
	}
	queue := map[string][]deploy.QueueEntry{}
	for _, e := range s.apps.Core.Overview().Queue {
		queue[e.App] = append(queue[e.App], e)
	}
	rows := []overview.Row{}
	for _, a := range apps {
		status, err := s.apps.Core.Status(ctx, a.Name)
		if err != nil {
			return nil, errors.New(errorText(err))
		}
		row := overview.Row{
			App: a.Name, State: a.State, Release: status.Release, Machine: status.Machine, Stats: status.Stats, URL: a.URL,
			Requests: s.apps.Counts(a.Name).Requests, Deployed: a.Deployed, At: time.Now(), CPU: -1,
		}
		if row.Step, row.Deploying, err = s.deployment(ctx, a.Name, queue[a.Name]); err != nil {
			return nil, errors.New(errorText(err))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// deployment says what happens to an app at the moment, in short and at length; nothing: both are empty.
func (s overviewSource) deployment(ctx context.Context, app string, queue []deploy.QueueEntry) (step, text string, err error) {
	if len(queue) == 0 {
		return "", "", nil
	}
	first := queue[0] // holds the app, or is the next to
	step = "working"
	newest, err := s.apps.Ledger.Releases(ctx, app, 1)
	if err != nil {
		return "", "", err
	}
	if len(newest) > 0 && newest[0].Finished.IsZero() && newest[0].State != core.Live {
		step = terminal.Version(newest[0].Version) + " " + string(newest[0].State)
	}
	text = fmt.Sprintf("%s by %s, for %s", first.What, first.By, units.Took(time.Since(first.Since)))
	if more := len(queue) - 1; more > 0 {
		text += fmt.Sprintf("; %d more in the queue", more)
	}
	return step, text, nil
}

// Log implements overview.Source.
func (s overviewSource) Log(ctx context.Context, app string, lines int) (<-chan core.Line, error) {
	from, err := s.apps.Logs.Follow(ctx, app, lines)
	if err != nil {
		return nil, errors.New(errorText(err))
	}
	return from, nil
}

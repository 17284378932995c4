package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/overview"
)

// OverviewName is the command that draws on its caller's terminal.
const OverviewName = "overview"

func (c runCommands) overview() *cobra.Command {
	line := c.Door.SSH("nodeos", "-t")
	example := line
	if c.Door == (Door{}) { // on the host, where help is printed without asking the daemon
		example = OverviewName
	}
	cmd := &cobra.Command{
		Use: OverviewName, Short: "watch your apps in this terminal: arrow keys, enter for an app's log, q leaves",
		Example: example, Args: args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.Terminal == nil {
			return core.Reject("the overview needs a terminal", "ask ssh for one: "+line+"; or list with `apps`")
		}
		return overview.Show(cmd.Context(), overviewSource{appCommands(c)}, overview.Screen{
			Window: *c.Terminal, In: c.In, Out: c.Out, Remote: c.Door.Remote("APP"),
		})
	}
	return cmd
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
	rows := []overview.Row{}
	for _, a := range apps {
		status, err := s.apps.Core.Status(ctx, a.Name)
		if err != nil {
			return nil, errors.New(errorText(err))
		}
		rows = append(rows, overview.Row{
			App: a.Name, State: a.State, Release: status.Release, Machine: status.Machine, Stats: status.Stats,
			Requests: s.apps.Counts(a.Name).Requests, Deployed: a.Deployed, At: time.Now(), CPU: -1,
		})
	}
	return rows, nil
}

// Log implements overview.Source.
func (s overviewSource) Log(ctx context.Context, app string, lines int) (<-chan core.Line, error) {
	from, err := s.apps.Logs.Follow(ctx, app, lines)
	if err != nil {
		return nil, errors.New(errorText(err))
	}
	return from, nil
}

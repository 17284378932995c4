package cli

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

// scaleRow is how many machines an app has of one process.
type scaleRow struct {
	Process  string `json:"process"`
	Machines int    `json:"machines"` // that somebody wants
	Running  int    `json:"running"`  // of them, those that are there
}

func (c runCommands) psScale() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ps:scale APP [PROCESS=N...]", DisableFlagsInUseLine: true,
		Short: "show or set how many machines each process of an app has",
		Long: "Show how many machines each process of an app has, or set it. The processes are the lines of its\n" +
			"Procfile; without one, there is web. Each has one machine until somebody says something else, and\n" +
			"may have none. The front door sends a request to the machine of web that has the fewest.\n\n" +
			"Machines come and go at once, without a release. If one does not start, nothing changes. Each\n" +
			"machine gets what `resource` says.",
		Example: "ps:scale shop\nps:scale shop web=2 worker=1\nps:scale shop web+1 worker-1",
		Args:    command.Args(cobra.MinimumNArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if strings.ContainsAny(a[0], "=+") {
			return command.Misuse(cmd, errors.New("name the app first"))
		}
		role := core.RoleView
		if len(a) > 1 {
			role = core.RoleAdmin
		}
		if _, err := c.App(cmd.Context(), a[0], role); err != nil {
			return err
		}
		if len(a) > 1 {
			return c.Core.ScaleApp(cmd.Context(), c.Actor, a[0], a[1:], c.Out)
		}
		return c.showScale(cmd, a[0], *asJSON)
	}
	return cmd
}

func (c runCommands) showScale(cmd *cobra.Command, app string, asJSON bool) error {
	scaled, err := c.Core.ScaleOf(cmd.Context(), app)
	if err != nil {
		return err
	}
	s, err := c.Core.Status(cmd.Context(), app)
	if err != nil {
		return err
	}
	rows, cells := []scaleRow{}, [][]string{{"PROCESS", "MACHINES", "RUNNING"}}
	names := scaled.Manifest.Running()
	if scaled.Manifest.Empty() { // what is set for the first release
		names = slices.Sorted(maps.Keys(scaled.Scale))
	}
	for _, name := range names {
		row := scaleRow{Process: name, Machines: scaled.Scale.Of(name)}
		for _, p := range s.Processes {
			if p.Process.Type == name && p.Machine != "" {
				row.Running++
			}
		}
		rows = append(rows, row)
		cells = append(cells, []string{name, strconv.Itoa(row.Machines), strconv.Itoa(row.Running)})
	}
	return c.List(asJSON, rows, cells)
}

package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

func (c appCommands) apps() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps", Short: "list your apps and what they run", Example: "apps\napps --json", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := c.appRows(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"APP", "STATE", "RELEASE", "COMMIT", "DEPLOYED", "URL"}}
		for _, a := range list {
			rows = append(rows, []string{a.Name, a.State, terminal.Version(a.Release), command.Commit(a.Commit), terminal.Ago(a.Deployed), a.URL})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

type appRow struct {
	Name     string    `json:"name"`
	State    string    `json:"state"`   // as in ps
	Release  int       `json:"release"` // 0: nothing is live
	Commit   string    `json:"commit,omitempty"`
	Deployed time.Time `json:"deployed,omitzero"`
	URL      string    `json:"url"`
}

// appRows are the apps that the caller may see.
func (c appCommands) appRows(ctx context.Context) ([]appRow, error) {
	// There may be a thousand apps: ask once for all, not once for each.
	states, err := c.Core.Statuses(ctx)
	if err != nil {
		return nil, err
	}
	lives, err := c.Ledger.Lives(ctx)
	if err != nil {
		return nil, err
	}
	live := make(map[string]core.Release, len(lives))
	for _, r := range lives {
		live[r.App] = r
	}
	rows := []appRow{}
	for _, s := range states {
		if c.May(s.App, core.RoleView) {
			rows = append(rows, c.rowOf(s, live[s.App]))
		}
	}
	return rows, nil
}

// rowOf is the row of an app; live is its live release, zero without one.
func (c appCommands) rowOf(s fleet.AppStatus, live core.Release) appRow {
	return appRow{Name: s.App, Release: live.Version, URL: c.URL(s.App), State: string(s.State), Commit: live.Commit, Deployed: live.Finished}
}

func (c appCommands) appRow(ctx context.Context, a core.App) (appRow, error) {
	s, err := c.Core.Status(ctx, a.Name)
	if err != nil || a.Live == 0 {
		return c.rowOf(s, core.Release{}), err
	}
	live, err := c.Ledger.Release(ctx, a.Name, a.Live)
	return c.rowOf(s, live), err
}

type infoRow struct {
	appRow
	Branch  string    `json:"branch,omitempty"`
	Created time.Time `json:"created"`
	Dir     string    `json:"dir,omitempty"` // its folder in the repository, as apps:config has set it
	Node    string    `json:"node,omitempty"`
	Domains []string  `json:"domains"`
	Config  []string  `json:"config"` // names only
	Rules   []string  `json:"rules"`  // of the front door, in words
	Role    string    `json:"role"`   // yours
	Lock    *lockRow  `json:"lock,omitempty"`
	Image   int64     `json:"image_bytes"` // of its own layers
}

type lockRow struct {
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

func (c appCommands) appsInfo() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:info APP", Short: "show all that is set for an app", Example: "apps:info shop\napps:info shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, err := c.App(cmd.Context(), a[0], core.RoleView)
		if err != nil {
			return err
		}
		row, err := c.infoRow(cmd.Context(), app)
		if err != nil {
			return err
		}
		return c.List(*asJSON, row, row.cells())
	}
	return cmd
}

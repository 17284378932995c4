package accounts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// whoamiRow is what gitd knows of its caller.
type whoamiRow struct {
	Name string               `json:"name"`
	Role string               `json:"role"`          // "administrator", "user", or "deploy key"
	Key  string               `json:"key,omitempty"` // the fingerprint of the key that was proved; empty on the host
	Apps map[string]core.Role `json:"apps"`          // the role on each app, and on those that may be made
}

func (c commands) whoami() *cobra.Command {
	cmd := &cobra.Command{
		Use: "whoami", Short: "show who you are here: your role, your key and your apps", Example: "whoami\nwhoami --json", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		row, err := c.whoamiRow(cmd.Context())
		if err != nil {
			return err
		}
		return c.List(*asJSON, row, row.cells())
	}
	return cmd
}

func (c commands) whoamiRow(ctx context.Context) (whoamiRow, error) {
	row := whoamiRow{Name: c.Name, Role: "user", Key: c.Key, Apps: map[string]core.Role{}}
	switch {
	case c.Limit != (core.Limit{}):
		row.Role, row.Apps[c.Limit.App] = "deploy key", c.Limit.Role
		return row, nil
	case c.Admin:
		row.Role = "administrator"
	}
	apps, err := c.Ledger.Apps(ctx)
	names := slices.Collect(func(yield func(string) bool) {
		for _, a := range apps {
			if !yield(a.Name) {
				return
			}
		}
	})
	for _, name := range append(names, slices.Sorted(maps.Keys(c.Grants))...) {
		if c.May(name, core.RoleView) {
			row.Apps[name] = c.Actor.Role(name)
		}
	}
	return row, err
}

func (r whoamiRow) cells() [][]string {
	var roles []string
	for _, app := range slices.Sorted(maps.Keys(r.Apps)) {
		roles = append(roles, fmt.Sprintf("%s (%s)", app, r.Apps[app]))
	}
	apps := terminal.OrDash(strings.Join(roles, ", "))
	if r.Role == "administrator" {
		apps = fmt.Sprintf("all (%d)", len(r.Apps))
	}
	return [][]string{{"WHAT", "VALUE"}, {"name", r.Name}, {"role", r.Role}, {"key", terminal.OrDash(r.Key)}, {"apps", apps}}
}

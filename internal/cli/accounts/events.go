package accounts

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

func (c commands) events() *cobra.Command {
	cmd := &cobra.Command{
		Use: "events [APP] [-n N]", DisableFlagsInUseLine: true,
		Short: "list who did what, the newest first", Example: "events shop -n 50", Args: command.Args(cobra.MaximumNArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	num := cmd.Flags().IntP("num", "n", 30, "how many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		list, err := c.entries(cmd.Context(), a, max(*num, 0))
		if err != nil {
			return err
		}
		rows, table := []eventRow{}, [][]string{{"TIME", "WHO", "ACTION", "APP", "WHAT"}}
		for _, e := range list {
			rows = append(rows, eventRow{e.Time, e.Actor, e.Action, e.App, e.Detail})
			table = append(table, []string{e.Time.UTC().Format(time.DateTime), e.Actor, e.Action, terminal.OrDash(e.App), terminal.OrDash(e.Detail)})
		}
		return c.List(*asJSON, rows, table)
	}
	return cmd
}

type eventRow struct {
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	App    string    `json:"app,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// entries are those of one app, or all that the caller may see. The role
// decides: the entries of an app that was destroyed are still there.
func (c commands) entries(ctx context.Context, app []string, limit int) ([]core.Entry, error) {
	switch {
	case len(app) == 1 && !c.May(app[0], core.RoleView):
		return nil, command.NoApp(app[0])
	case len(app) == 1:
		list, err := c.Ledger.Entries(ctx, app[0], limit)
		if err == nil && len(list) == 0 {
			_, err = c.App(ctx, app[0], core.RoleView)
		}
		return list, err
	case c.Admin:
		return c.Ledger.Entries(ctx, "", limit)
	}
	var all []core.Entry
	for _, name := range c.visible() {
		list, err := c.Ledger.Entries(ctx, name, limit)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b core.Entry) int { return b.Time.Compare(a.Time) })
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all, nil
}

// visible are the names of the apps on which a caller who is no administrator
// has a role. They need not exist.
func (c commands) visible() []string {
	if c.Limit != (core.Limit{}) {
		return []string{c.Limit.App}
	}
	return slices.Sorted(maps.Keys(c.Grants))
}

package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// hiddenValue stands for a value that the caller may not see.
const hiddenValue = "(hidden)"

func (c configCommands) config() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config APP [--build]", DisableFlagsInUseLine: true, Short: "show the config of an app",
		Example: "config shop\nconfig shop --json\nconfig shop --build",
		Long: "Show the config of an app: the environment variables that people set for it.\n" +
			"Who may only view the app sees their names. JSON: an object of names and values, null where a value is hidden.",
		Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	build := cmd.Flags().Bool("build", false, "only what builds see too")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		vars, err := c.vars(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		marked, err := c.Settings.BuildVars(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if *build {
			vars = marked
		}
		values, rows := map[string]*string{}, [][]string{{"NAME", "VALUE", "BUILD"}}
		for _, name := range slices.Sorted(maps.Keys(vars)) {
			value, shown := vars[name], hiddenValue
			values[name] = nil
			if c.May(a[0], core.RoleDeploy) {
				values[name], shown = &value, firstLine(value)
			}
			seen := "-"
			if _, ok := marked[name]; ok {
				seen = "yes"
			}
			rows = append(rows, []string{name, shown, seen})
		}
		return c.List(*asJSON, values, rows)
	}
	return cmd
}

// vars are the variables of an app. Who may see their values has read them.
func (c configCommands) vars(ctx context.Context, app string) (map[string]string, error) {
	if c.May(app, core.RoleDeploy) {
		return c.Core.ReadConfig(ctx, c.Actor, app, "")
	}
	return c.Settings.Vars(ctx, app)
}

// firstLine is what a table shows of a value.
func firstLine(v string) string {
	first, rest, more := strings.Cut(v, "\n")
	if !more || rest == "" {
		return first
	}
	return fmt.Sprintf("%s … (%d lines)", first, 1+len(strings.Split(strings.TrimSuffix(rest, "\n"), "\n")))
}

func (c configCommands) configGet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config:get APP NAME", Short: "print one config value as it is", Example: "config:get shop DATABASE_URL",
		Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		vars, err := c.Core.ReadConfig(cmd.Context(), c.Actor, a[0], a[1])
		if err != nil {
			return err
		}
		value := vars[a[1]]
		if c.Terminal != nil {
			value = printableLines(value)
		}
		_, err = fmt.Fprintln(c.Out, value)
		return err
	}
	return cmd
}

// printableLines keeps a text's lines and nothing else that tells a terminal
// something.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = progress.Printable(l)
	}
	return strings.Join(lines, "\n")
}

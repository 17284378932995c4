package cli

import (
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
		vars, err := c.Settings.Vars(cmd.Context(), a[0])
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
		vars, err := c.Settings.Vars(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		value, ok := vars[a[1]]
		if !ok {
			return fmt.Errorf("%s has no %s; `config %s` lists what it has", a[0], a[1], a[0])
		}
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

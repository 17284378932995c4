package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/dotenv"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c configCommands) configSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config:set APP NAME=VALUE... [--stdin NAME] [--build] [--no-restart]", DisableFlagsInUseLine: true,
		Short: "set config and bring up a release with it",
		Long: "Set config variables. The app gets them in a new release of the same image; when that\n" +
			"does not come up, the config is as it was before.\n" +
			"With --build, builds see the variables too (and --build=false ends that); the app gets them as before.\n" +
			"A command line can be seen by others on its machine: secrets go through --stdin or config:import.",
		Example: "config:set shop COLOUR=blue LIMIT=10\nconfig:set shop --stdin TLS_KEY < key.pem\n" +
			"config:set shop --build --stdin NPM_TOKEN < token",
		Args: command.Args(cobra.MinimumNArgs(1)),
	}
	stdin := cmd.Flags().String("stdin", "", "read the value of this variable from standard input, but for its last newline")
	build, noRestart := buildFlag(cmd), noRestartFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		set, err := assignments(a[1:])
		if err != nil {
			return command.Misuse(cmd, err)
		}
		if len(set) == 0 && *stdin == "" {
			return command.Misuse(cmd, errors.New("nothing to set"))
		}
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if *stdin != "" {
			value, err := c.input()
			if err != nil {
				return err
			}
			set[*stdin] = strings.TrimSuffix(strings.TrimSuffix(value, "\n"), "\r")
		}
		return c.changeConfig(cmd, a[0], apps.ConfigChange{Set: set, Build: build(), NoRestart: *noRestart})
	}
	return cmd
}

// assignments reads NAME=VALUE words. An error names no value.
func assignments(list []string) (map[string]string, error) {
	set := map[string]string{}
	for i, w := range list {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("word %d is not NAME=VALUE; a value with spaces stands in quotes", i+1)
		}
		if err := core.CheckVarName(name); err != nil {
			return nil, errors.New(errorText(err))
		}
		set[name] = value
	}
	return set, nil
}

func (c configCommands) configUnset() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config:unset APP NAME... [--no-restart]", DisableFlagsInUseLine: true,
		Short: "remove config and bring up a release without it", Example: "config:unset shop COLOUR LIMIT",
		Args: command.Args(cobra.MinimumNArgs(2)),
	}
	noRestart := noRestartFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		vars, err := c.Settings.Vars(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		for _, name := range a[1:] {
			if _, ok := vars[name]; !ok {
				return fmt.Errorf("%s has no %.40s; `config %s` lists what it has", a[0], name, a[0])
			}
		}
		return c.changeConfig(cmd, a[0], apps.ConfigChange{Unset: a[1:], NoRestart: *noRestart})
	}
	return cmd
}

func (c configCommands) configImport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config:import APP [--build] [--no-restart] < .env", DisableFlagsInUseLine: true,
		Short:   "set config from a .env file on standard input; values in quotes may have several lines",
		Example: "config:import shop < .env", Args: command.Args(cobra.ExactArgs(1)),
	}
	build, noRestart := buildFlag(cmd), noRestartFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		text, err := c.input()
		if err != nil {
			return err
		}
		set, err := dotenv.Parse(text)
		if err != nil {
			return err
		}
		if len(set) == 0 {
			return errors.New("standard input holds no NAME=value line; add `< .env`")
		}
		return c.changeConfig(cmd, a[0], apps.ConfigChange{Set: set, Build: build(), NoRestart: *noRestart})
	}
	return cmd
}

// buildFlag returns what --build says; nil: it was not given.
func buildFlag(cmd *cobra.Command) func() *bool {
	build := cmd.Flags().Bool("build", false, "builds see it too; --build=false: no longer")
	return func() *bool {
		if cmd.Flags().Changed("build") {
			return build
		}
		return nil
	}
}

func noRestartFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("no-restart", false, "only store it: it counts from the next release on")
}

// input reads standard input, which may be as long as the config of an app.
func (c configCommands) input() (string, error) {
	text, err := io.ReadAll(io.LimitReader(c.In, 2*core.MaxVars+1))
	if err != nil {
		return "", err
	}
	if len(text) > 2*core.MaxVars {
		return "", fmt.Errorf("standard input is longer than %d bytes; the config of an app may take %d", 2*core.MaxVars, core.MaxVars)
	}
	return string(text), nil
}

func (c configCommands) changeConfig(cmd *cobra.Command, app string, change apps.ConfigChange) error {
	return c.Core.SetConfig(cmd.Context(), c.Actor, app, change, c.Out)
}

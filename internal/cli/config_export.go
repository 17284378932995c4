package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/dotenv"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c configCommands) configExport() *cobra.Command {
	cmd := &cobra.Command{
		Use: "config:export APP", Short: "print the config of an app as a .env file, with its values",
		Long: "Print the config of an app as a .env file, with its values. config:import reads it, and so does a shell,\n" +
			"to which nothing in a value means anything.",
		Example: "config:export shop\nconfig:export shop > .env", Args: command.Args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		vars, err := c.Core.ReadConfig(cmd.Context(), c.Actor, a[0], "")
		if err != nil {
			return err
		}
		text := dotenv.Format(vars)
		if c.Terminal != nil {
			text = printableLines(text)
		}
		_, err = fmt.Fprint(c.Out, text)
		return err
	}
	return cmd
}

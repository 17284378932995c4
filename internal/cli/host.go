package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
)

func (c hostCommands) halt() *cobra.Command {
	cmd := &cobra.Command{Use: "halt", Short: "stop every machine and gitd itself; the next start brings them back", Example: "halt", Args: command.Args(cobra.NoArgs)}
	cmd.RunE = c.AdminOnly(func(*cobra.Command, []string) error {
		c.Halt()
		fmt.Fprintln(c.Out, "stopping: the machines first, then gitd")
		return nil
	})
	return cmd
}

func (c hostCommands) version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "print the version", Example: "version", Args: command.Args(cobra.NoArgs)}
	cmd.RunE = func(*cobra.Command, []string) error {
		_, err := fmt.Fprintln(c.Out, "gitd", c.Version)
		return err
	}
	return cmd
}

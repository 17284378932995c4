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

// UpgradeName is the command that upgrades.
const UpgradeName = "upgrade"

func (c hostCommands) upgrade() *cobra.Command {
	cmd := &cobra.Command{
		Use: UpgradeName, Short: "let the gitd that is on disk now take this one's place; no request and no push is lost, and the machines run on",
		Example: UpgradeName, Args: command.Args(cobra.NoArgs),
	}
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error { return c.Upgrade(cmd.Context(), c.Actor, c.Out) })
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

// hostkeys prints lines for a known_hosts file, so that a program which pushes need not believe whoever answers first.
func (c hostCommands) hostkeys() *cobra.Command {
	cmd := &cobra.Command{
		Use: "hostkeys", Short: "print gitd's host keys as lines for a known_hosts file", Example: "hostkeys", Args: command.Args(cobra.NoArgs),
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		for _, key := range c.PublicKeys {
			if _, err := fmt.Fprintln(c.Out, c.Door.Known(), key); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

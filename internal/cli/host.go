package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (t *tree) halt() *cobra.Command {
	cmd := &cobra.Command{Use: "halt", Short: "stop every machine and gitd itself; the next start brings them back", Example: "halt", Args: args(cobra.NoArgs)}
	cmd.RunE = t.adminOnly(func(*cobra.Command, []string) error {
		t.Halt()
		fmt.Fprintln(t.Out, "stopping: the machines first, then gitd")
		return nil
	})
	return cmd
}

func (t *tree) version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "print the version", Example: "version", Args: args(cobra.NoArgs)}
	cmd.RunE = func(*cobra.Command, []string) error {
		_, err := fmt.Fprintln(t.Out, "gitd", t.Version)
		return err
	}
	return cmd
}

package images

import (
	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c commands) verify() *cobra.Command {
	cmd := &cobra.Command{
		Use: "releases:verify APP vN", Short: "build the commit of a release again, and compare the bytes",
		Long: "Build the commit of a release again, from nothing that is kept, with the Node and the package manager that the\n" +
			"release was built with, and compare the layers. Nothing is deployed. The config that builds see counts as it is\n" +
			"now. The exit code is 0 if all bytes are equal.",
		Example: "releases:verify shop v12", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		version, err := command.ParseVersion(a[1])
		if err != nil {
			return command.Misuse(cmd, err)
		}
		return c.Core.Verify(cmd.Context(), c.Actor, a[0], version, c.Out)
	}
	return cmd
}

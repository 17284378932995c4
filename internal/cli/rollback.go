package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c releaseCommands) rollback() *cobra.Command {
	cmd := &cobra.Command{
		Use: "rollback APP [vN]", Short: "bring up the image of an older release again, as a new release",
		Long: "Bring up the image of an older release again, as a new release: the one that was live before,\n" +
			"or vN. Nothing is built. Config belongs to the app: it stays as it is.",
		Example: "rollback shop\nrollback shop v12", Args: command.Args(cobra.RangeArgs(1, 2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		release := 0
		if len(a) == 2 {
			var err error
			if release, err = command.ParseVersion(a[1]); err != nil {
				return command.Misuse(cmd, err)
			}
		}
		return c.Core.Rollback(cmd.Context(), c.Actor, a[0], release, c.Out)
	}
	return cmd
}

func (c releaseCommands) buildsCancel() *cobra.Command {
	return c.Operation("builds:cancel", "end the deployments of an app that wait, build or boot", "builds:cancel shop", core.RoleDeploy,
		func(ctx context.Context, app string) error {
			if err := c.Core.Cancel(ctx, c.Actor, app); err != nil {
				return err
			}
			_, err := fmt.Fprintln(c.Out, "cancelled")
			return err
		})
}

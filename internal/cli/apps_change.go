package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c appCommands) appsCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:create APP", Short: "make an app to push to; a first push does that too",
		Example: "apps:create shop", Args: command.Args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := core.CheckName(a[0]); err != nil {
			return err
		}
		// The same words whether or not there is such an app.
		if !c.May(a[0], core.RoleDeploy) {
			return fmt.Errorf("you may not make %q; an administrator can let you: users:grant %s %s deploy", a[0], c.Name, a[0])
		}
		if err := c.Core.CreateApp(cmd.Context(), c.Actor, a[0]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.Out, "%s is there; push to it: git push %s main\n", a[0], c.Door.Remote(a[0]))
		return err
	}
	return cmd
}

func (c appCommands) appsRename() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:rename APP NEW", Short: "give an app another name; its old address ends",
		Example: "apps:rename shop store", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if err := core.CheckName(a[1]); err != nil {
			return err
		}
		if !c.May(a[1], core.RoleDeploy) {
			return fmt.Errorf("you may not make %q; an administrator can let you: users:grant %s %s deploy", a[1], c.Name, a[1])
		}
		if err := c.Core.RenameApp(cmd.Context(), c.Actor, a[0], a[1]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.Out, "%s is now %s, at %s\n", a[0], a[1], c.URL(a[1]))
		return err
	}
	return cmd
}

func (c appCommands) appsDestroy() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:destroy APP --confirm APP", DisableFlagsInUseLine: true,
		Short:   "remove an app with its machine, repository, config and logs, for ever",
		Example: "apps:destroy shop --confirm shop", Args: command.Args(cobra.ExactArgs(1)),
	}
	confirm := cmd.Flags().String("confirm", "", "the app's name once more")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if *confirm != a[0] {
			return fmt.Errorf("this removes %s with its machine, repository, config and logs, and cannot be undone\n"+
				"if that is what you want: apps:destroy %s --confirm %s", a[0], a[0], a[0])
		}
		return c.Core.DestroyApp(cmd.Context(), c.Actor, a[0], c.Out)
	}
	return cmd
}

func (c appCommands) appsLock() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:lock APP [REASON...]", Short: "refuse deployments of an app until it is unlocked",
		Example: "apps:lock shop no releases before the sale ends", Args: command.Args(cobra.MinimumNArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		if err := c.Core.LockApp(cmd.Context(), c.Actor, a[0], strings.Join(a[1:], " ")); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.Out, "%s is locked: pushes are refused until apps:unlock %s\n", a[0], a[0])
		return err
	}
	return cmd
}

func (c appCommands) appsUnlock() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:unlock APP", Short: "allow deployments of an app again", Example: "apps:unlock shop", Args: command.Args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		if err := c.Core.UnlockApp(cmd.Context(), c.Actor, a[0]); err != nil {
			return err
		}
		_, err := fmt.Fprintf(c.Out, "%s is unlocked\n", a[0])
		return err
	}
	return cmd
}

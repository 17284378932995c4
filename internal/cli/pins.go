package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c releaseCommands) releasesPin() *cobra.Command {
	return c.pin("releases:pin APP vN", "keep the image of a release, whatever comes after it", "releases:pin shop v12", true)
}

func (c releaseCommands) releasesUnpin() *cobra.Command {
	return c.pin("releases:unpin APP vN", "end releases:pin", "releases:unpin shop v12", false)
}

func (c releaseCommands) pin(use, short, example string, pinned bool) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example, Args: command.Args(cobra.ExactArgs(2))}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		release, err := command.ParseVersion(a[1])
		if err != nil {
			return command.Misuse(cmd, err)
		}
		if err := c.Core.PinRelease(cmd.Context(), c.Actor, a[0], release, pinned); err != nil {
			return err
		}
		word := map[bool]string{true: "kept until releases:unpin", false: "kept like any other"}[pinned]
		_, err = fmt.Fprintf(c.Out, "the image of v%d is %s\n", release, word)
		return err
	}
	return cmd
}

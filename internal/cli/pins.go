package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"gitd/internal/core"
)

func (t *tree) releasesPin() *cobra.Command {
	return t.pin("releases:pin APP vN", "keep the image of a release, whatever comes after it", "releases:pin shop v12", true)
}

func (t *tree) releasesUnpin() *cobra.Command {
	return t.pin("releases:unpin APP vN", "end releases:pin", "releases:unpin shop v12", false)
}

func (t *tree) pin(use, short, example string, pinned bool) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example, Args: args(cobra.ExactArgs(2))}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := t.app(cmd.Context(), a[0], core.RoleDeploy); err != nil {
			return err
		}
		release, err := parseVersion(a[1])
		if err != nil {
			return usage(cmd, err)
		}
		if err := t.Core.PinRelease(cmd.Context(), t.Actor, a[0], release, pinned); err != nil {
			return err
		}
		word := map[bool]string{true: "kept until releases:unpin", false: "kept like any other"}[pinned]
		_, err = fmt.Fprintf(t.Out, "the image of v%d is %s\n", release, word)
		return err
	}
	return cmd
}

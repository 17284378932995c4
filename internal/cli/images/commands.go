// Package images is the commands about what is in the image of a release: its files, how two of them differ, whether
// one is what its commit builds, and its bill of materials.
//
// It owns their words and tables. It does not own the reading of images (package contents), nor builds (package
// deploy).
package images

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

type commands struct{ command.Shared }

// Commands are those of this package, in the order of `help`.
func Commands(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.files(), c.diff(), c.verify(), c.sbom()}
}

// release finds a release with an image that is kept.
func (c commands) release(cmd *cobra.Command, app, word string) (core.Release, error) {
	version, err := command.ParseVersion(word)
	if err != nil {
		return core.Release{}, command.Misuse(cmd, err)
	}
	r, err := c.Ledger.Release(cmd.Context(), app, version)
	if errors.Is(err, core.ErrNotFound) {
		err = core.Reject(fmt.Sprintf("%s has no release v%d", app, version), "`releases "+app+"` lists them")
	}
	if err != nil {
		return r, err
	}
	return r, c.Contents.Kept(r)
}

// reading is a command that reads images. Few of them run at once: they are cheap to ask for and not cheap to answer.
func (c commands) reading(cmd *cobra.Command, read func(ctx context.Context, app core.App, args []string) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		ctx := cmd.Context()
		app, err := c.App(ctx, a[0], core.RoleView)
		if err != nil {
			return err
		}
		leave, err := c.Contents.Enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		return read(ctx, app, a[1:])
	}
	return cmd
}

package command

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Operation is a command on one app for which the caller needs role r.
func (c Shared) Operation(use, short, example string, r core.Role, do func(ctx context.Context, app string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " APP", Short: short, Example: example, Args: Args(cobra.ExactArgs(1))}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], r); err != nil {
			return err
		}
		return do(cmd.Context(), a[0])
	}
	return cmd
}

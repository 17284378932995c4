package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/core"
)

// operation is a command on one app for which the caller needs role r.
func (c shared) operation(use, short, example string, r core.Role, do func(ctx context.Context, app string) error) *cobra.Command {
	cmd := &cobra.Command{Use: use + " APP", Short: short, Example: example, Args: args(cobra.ExactArgs(1))}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.app(cmd.Context(), a[0], r); err != nil {
			return err
		}
		return do(cmd.Context(), a[0])
	}
	return cmd
}

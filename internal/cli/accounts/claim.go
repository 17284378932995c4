package accounts

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

// claim prints one line and nothing else, for scripts too: Debian's package asks it after the installation.
func (c commands) claim() *cobra.Command {
	cmd := &cobra.Command{
		Use: "claim", Short: "on the host, print the line by which the first person becomes administrator",
		Long:    "Prints the line by which the first person becomes administrator. A line that was printed before is void with that.",
		Example: "claim", Args: command.Args(cobra.NoArgs),
	}
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		known, err := c.People.HasKeys(cmd.Context())
		if err != nil {
			return err
		}
		if known {
			return core.Reject("somebody can log in to this gitd already", "an administrator invites others: users:invite NAME; on the host: gitd users:invite NAME --admin")
		}
		line, err := c.Claim(cmd.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.Out, line)
		return err
	})
	return cmd
}

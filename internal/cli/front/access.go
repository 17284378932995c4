package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c commands) access() *cobra.Command {
	cmd := &cobra.Command{
		Use: "access APP [-t] [-n N]", DisableFlagsInUseLine: true,
		Short: "show the requests of an app, one JSON object a line",
		Long: "Show the requests of an app, the newest last: one JSON object a line, with time (when it came), request_id,\n" +
			"app, method, scheme, host, path, status (0: the client had left), bytes_in, bytes_out, duration_ms, client,\n" +
			"protocol, tls, user_agent, referer, machine and user (of `auth`). What gitd has to say itself is an object with time and note.",
		Example: "access shop -n 1000\naccess shop -t", Args: command.Args(cobra.ExactArgs(1)),
	}
	var follow, also bool
	num := cmd.Flags().IntP("num", "n", 100, "how many")
	cmd.Flags().BoolVarP(&follow, "tail", "t", false, "go on with new ones, until interrupted")
	cmd.Flags().BoolVarP(&also, "follow", "f", false, "the same as --tail")
	cmd.Flags().Lookup("follow").Hidden = true
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		if follow || also {
			return c.followAccess(cmd.Context(), a[0], max(*num, 0))
		}
		for l, err := range c.Access.Tail(a[0], max(*num, 0), nil) {
			if err == nil {
				err = c.accessLine(l)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func (c commands) followAccess(ctx context.Context, app string, num int) error {
	if err := c.Stays(); err != nil {
		return err
	}
	lines, err := c.Access.Follow(ctx, app, num)
	if err != nil {
		return err
	}
	for l := range lines {
		if err := c.accessLine(l); err != nil {
			return err
		}
	}
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why
	}
	return nil
}

// accessLine prints an object. What is none was written by the log itself.
func (c commands) accessLine(l core.Line) error {
	if l.Stream == core.AccessStream {
		_, err := fmt.Fprintln(c.Out, l.Text)
		return err
	}
	return json.NewEncoder(c.Out).Encode(struct {
		Time time.Time `json:"time"`
		Note string    `json:"note"`
	}{l.Time.UTC(), l.Text})
}

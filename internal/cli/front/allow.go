package front

import (
	"context"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c gateCommands) allow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "allow APP", Short: "list the addresses that get into an app",
		Example: "allow shop\nallow shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		set, err := c.rulesOf(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if len(set.Allow) == 0 && !*asJSON {
			return c.say("every address gets into %s; `allow:add %s 203.0.113.0/24` lets only some in", a[0], a[0])
		}
		list, rows := []string{}, [][]string{{"ADDRESSES"}}
		for _, p := range set.Allow {
			list, rows = append(list, core.SourceText(p)), append(rows, []string{core.SourceText(p)})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

func (c gateCommands) allowAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "allow:add APP ADDRESS...", Short: "let addresses or networks into an app, and no others",
		Long: "Let addresses or networks into an app: 203.0.113.7, 203.0.113.0/24, 2001:db8::/32. From the first on, no others get\n" +
			"in. The address of a client behind a proxy counts if `gitd serve --trusted-proxies` names that proxy; otherwise\n" +
			"the proxy's does.",
		Example: "allow:add shop 203.0.113.0/24", Args: command.Args(cobra.MinimumNArgs(2)),
	}
	cmd.RunE = c.changeAllow("%s lets %s in", func(ctx context.Context, app string, list []netip.Prefix) error {
		return c.Front.AddSources(ctx, c.Actor, app, list)
	})
	return cmd
}

func (c gateCommands) allowRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "allow:remove APP ADDRESS...", Short: "end a rule of allow:add; without any, all addresses get in",
		Example: "allow:remove shop 203.0.113.0/24", Args: command.Args(cobra.MinimumNArgs(2)),
	}
	cmd.RunE = c.changeAllow("%s has no rule for %s any more", func(ctx context.Context, app string, list []netip.Prefix) error {
		return c.Front.RemoveSources(ctx, c.Actor, app, list)
	})
	return cmd
}

// changeAllow is a command that reads an app and addresses.
func (c gateCommands) changeAllow(says string, do func(ctx context.Context, app string, list []netip.Prefix) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		list, err := sources(a[1:])
		if err != nil {
			return err
		}
		if err := do(cmd.Context(), a[0], list); err != nil {
			return err
		}
		for _, p := range list {
			if err := c.say(says, a[0], core.SourceText(p)); err != nil {
				return err
			}
		}
		return nil
	}
}

func sources(words []string) (list []netip.Prefix, err error) {
	for _, w := range words {
		p, err := core.ParseSource(w)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

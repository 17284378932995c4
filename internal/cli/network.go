package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// networkCommands say what an app may reach beside the public internet.
type networkCommands struct{ command.Shared }

func (c networkCommands) commands() []*cobra.Command {
	return []*cobra.Command{c.network(), c.allow(), c.deny(), c.rate()}
}

// Who has set what of a network.
const (
	setForApp = "command"
	setForAll = "gitd serve"
)

// networkRow is what an app may reach, and how fast it may send.
type networkRow struct {
	Allow    []ruleRow `json:"allow"`
	Rate     int64     `json:"rate"` // bytes in a second; 0: no limit
	RateFrom string    `json:"rate_from"`
}

type ruleRow struct {
	Rule core.EgressRule `json:"rule"`
	From string          `json:"from"`
}

func (c networkCommands) network() *cobra.Command {
	cmd := &cobra.Command{
		Use: "network APP", Short: "show what an app may reach beside the public internet, and how fast it may send",
		Long: "Show what an app may reach beside the public internet. Addresses of this host, of its links and\n" +
			"of private networks are closed to every app, unless a rule names them. Rules are of TCP and UDP.",
		Example: "network shop\nnetwork shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		set, err := c.Settings.Network(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		is := set.Egress(c.Egress)
		row := networkRow{Allow: []ruleRow{}, Rate: is.Rate, RateFrom: setForAll}
		if set.Rate != 0 {
			row.RateFrom = setForApp
		}
		rows := [][]string{{"SETTING", "VALUE", "SET BY"}, {"rate", core.RateString(set.Rate, c.Egress.Rate), row.RateFrom}}
		for _, r := range is.Rules {
			from := setForAll
			if !slices.Contains(c.Egress.Rules, r) {
				from = setForApp
			}
			row.Allow = append(row.Allow, ruleRow{r, from})
			rows = append(rows, []string{"allow", r.String(), from})
		}
		return c.List(*asJSON, row, rows)
	}
	return cmd
}

func (c networkCommands) allow() *cobra.Command {
	cmd := &cobra.Command{
		Use: "network:allow APP RULE...", Short: "let an app reach an address or a network that is closed to apps (administrators)",
		Long: "Let an app reach an address or a network that is closed to apps. A rule is an address or a range,\n" +
			"and perhaps a port: 10.0.0.5:5432, 10.0.0.0/8, [fd00::5]:443, [fd00::]/8.",
		Example: "network:allow shop 10.0.0.5:5432", Args: command.Args(cobra.MinimumNArgs(2)),
	}
	cmd.RunE = c.change("may reach %s", func(ctx context.Context, app string, rules []core.EgressRule) error {
		return c.Networks.AllowEgress(ctx, c.Actor, app, rules)
	})
	return cmd
}

func (c networkCommands) deny() *cobra.Command {
	cmd := &cobra.Command{
		Use: "network:deny APP RULE...", Short: "take away a rule of network:allow (administrators)",
		Example: "network:deny shop 10.0.0.5:5432", Args: command.Args(cobra.MinimumNArgs(2)),
	}
	cmd.RunE = c.change("has no rule for %s any more", func(ctx context.Context, app string, rules []core.EgressRule) error {
		return c.Networks.DenyEgress(ctx, c.Actor, app, rules)
	})
	return cmd
}

// change is a command that reads an app and rules.
func (c networkCommands) change(says string, do func(ctx context.Context, app string, rules []core.EgressRule) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, a []string) error {
		if err := c.operator(cmd.Context(), a[0]); err != nil {
			return err
		}
		var rules []core.EgressRule
		for _, text := range a[1:] {
			r, err := core.ParseEgressRule(text)
			if err != nil {
				return err
			}
			rules = append(rules, r)
		}
		if err := do(cmd.Context(), a[0], rules); err != nil {
			return err
		}
		for _, r := range rules {
			if err := c.done(a[0], fmt.Sprintf(says, r)); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c networkCommands) rate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "network:rate APP 50M|none|default", DisableFlagsInUseLine: true,
		Short:   "set how much a machine of an app may send in a second (administrators)",
		Example: "network:rate shop 50M\nnetwork:rate shop none\nnetwork:rate shop default", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := c.operator(cmd.Context(), a[0]); err != nil {
			return err
		}
		var rate int64
		if a[1] != "default" {
			var err error
			if rate, err = core.ParseRate(a[1]); err != nil {
				return command.Misuse(cmd, errors.New("a rate is 50M, 1G, none or default: bytes in a second, in units of 1024"))
			}
		}
		if err := c.Networks.SetEgressRate(cmd.Context(), c.Actor, a[0], rate); err != nil {
			return err
		}
		return c.done(a[0], "may send at "+core.RateString(rate, c.Egress.Rate))
	}
	return cmd
}

// operator says why the caller may not decide what an app may reach, or nil. The network is the operator's: to be
// administrator of the app is not enough.
func (c networkCommands) operator(ctx context.Context, app string) error {
	if _, err := c.App(ctx, app, core.RoleView); err != nil {
		return err
	}
	if !c.Admin {
		return people.ErrNotAdmin
	}
	return nil
}

func (c networkCommands) done(app, what string) error {
	_, err := fmt.Fprintf(c.Out, "%s %s\n", app, what)
	return err
}

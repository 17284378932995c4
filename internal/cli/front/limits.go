package front

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// limitForms are how people write limits, by their names.
var limitForms = map[string]string{
	rules.LimitRequests:     "of all clients, for example 100/s, 600/m or 1000/h",
	rules.LimitRequestsFrom: "the same from one address (IPv6: one network of 64 bits)",
	rules.LimitBody:         "the largest request, for example 10M",
	rules.LimitConnections:  "requests at once, WebSockets included",
}

// refusedRow is how many requests were refused.
type refusedRow struct {
	Limit   string `json:"limit"`
	Set     string `json:"set"`
	Refused int64  `json:"refused"`
}

func (c commands) limits() *cobra.Command {
	cmd := &cobra.Command{
		Use: "limits APP [--requests 100/s] [--requests-from 20/s] [--body 10M] [--connections 200]", DisableFlagsInUseLine: true,
		Short: "show or set how many requests an app takes, and how many were refused",
		Long: "Show or set how many requests the front door lets through to an app. There are no limits unless they are set;\n" +
			"none takes one away. What is too much gets 429 (too many in a time, with Retry-After), 413 (too large) or 503\n" +
			"(too many at once). REFUSED counts since gitd began, for all rules of the front door.",
		Example: "limits shop\nlimits shop --requests-from 20/s --body 10M\nlimits shop --body none", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON, words := command.JSONFlag(cmd), map[string]*string{}
	for _, name := range rules.LimitNames {
		words[name] = cmd.Flags().String(name, "", limitForms[name]+"; none: no limit")
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		to := map[string]string{}
		for name, text := range words {
			if cmd.Flags().Changed(name) {
				to[name] = *text
			}
		}
		if len(to) > 0 {
			if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
				return err
			}
			if err := c.Front.SetLimits(cmd.Context(), c.Actor, a[0], to); err != nil {
				return err
			}
		}
		set, err := c.rulesOf(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		return c.showLimits(set.Limits, c.Refused()[a[0]], *asJSON)
	}
	return cmd
}

// showLimits shows what was refused by other rules too, if something was.
func (c commands) showLimits(l rules.Limits, refused map[string]int64, asJSON bool) error {
	var all []refusedRow
	for _, name := range rules.LimitNames {
		all = append(all, refusedRow{name, l.Text(name), refused[name]})
	}
	for _, name := range rules.OtherRefusals {
		if refused[name] > 0 {
			all = append(all, refusedRow{name, "-", refused[name]})
		}
	}
	rows := [][]string{{"LIMIT", "SET", "REFUSED"}}
	for _, r := range all {
		rows = append(rows, []string{r.Limit, r.Set, strconv.FormatInt(r.Refused, 10)})
	}
	return c.List(asJSON, all, rows)
}

package links

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// linkRow is one app that reaches another one.
type linkRow struct {
	App    string `json:"app"`
	Target string `json:"target"`
	Host   string `json:"host"`
	Ports  string `json:"ports"` // that the target offers now
	Var    string `json:"var,omitempty"`
	By     string `json:"by"`
}

func (c commands) links() *cobra.Command {
	cmd := &cobra.Command{
		Use: "links [APP]", Short: "list which apps reach which others, and at which names and ports",
		Long: "List which apps reach which others. The machines of APP find TARGET at HOST, on its web port (also as port 80) and\n" +
			"on the TCP ports that it exposes. VARIABLE is what links:add --as has set.",
		Example: "links shop\nlinks --json", Args: command.Args(cobra.MaximumNArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, err := c.optional(cmd.Context(), a)
		if err != nil {
			return err
		}
		found, err := c.Links.LinksOf(cmd.Context(), app)
		if err != nil {
			return err
		}
		all := []linkRow{}
		rows := [][]string{{"APP", "TARGET", "HOST", "PORTS", "VARIABLE", "SET BY"}}
		for _, l := range found {
			if !c.May(l.App, core.RoleView) {
				continue // whoever may see the target alone need not know who reaches it
			}
			o, err := c.Ports.Offer(cmd.Context(), l.Target)
			if err != nil {
				return err
			}
			r := linkRow{l.App, l.Target, core.LinkHost(l.Target), o.Text(), l.Var, l.By}
			all = append(all, r)
			rows = append(rows, []string{r.App, r.Target, r.Host, r.Ports, terminal.OrDash(r.Var), r.By})
		}
		return c.List(*asJSON, all, rows)
	}
	return cmd
}

func (c commands) linksAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "links:add APP TARGET [--as NAME [--value TEXT]]", DisableFlagsInUseLine: true,
		Short: "let an app reach another one at TARGET.internal (administrators)",
		Long: "Let the machines of APP reach TARGET at TARGET.internal, on its web port (also as port 80) and on the TCP ports\n" +
			"that it exposes: at once, and while TARGET is replaced. With --as, the config variable NAME is set to --value, in\n" +
			"which {host} and {port} are those of TARGET, and APP is restarted with it. Without --value it is\n" +
			"http://{host}:{port}, or tcp://{host}:{port} for a TARGET with TCP ports, of which {port} is the first.",
		Example: "links:add shop db\nlinks:add shop db --as DATABASE_URL --value 'postgres://{host}:{port}/shop'",
		Args:    command.Args(cobra.ExactArgs(2)),
	}
	name := cmd.Flags().String("as", "", "the config variable to set")
	template := cmd.Flags().String("value", "", "its value: {host} and {port} are filled in")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if cmd.Flags().Changed("value") && *name == "" {
			return command.Misuse(cmd, errors.New("--value is that of a variable: --as NAME names it"))
		}
		if err := c.operator(cmd.Context(), a...); err != nil {
			return err
		}
		return c.link(cmd.Context(), a[0], a[1], *name, *template)
	}
	return cmd
}

// link makes a link, and sets its variable; both or none.
func (c commands) link(ctx context.Context, app, target, name, template string) error {
	before, err := c.Links.LinksOf(ctx, app)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(before, func(l core.Link) bool { return l.App == app && l.Target == target })
	offer, err := c.Ports.Offer(ctx, target)
	if err != nil {
		return err
	}
	value := ""
	if name != "" {
		if value, err = valueOf(template, target, offer); err != nil {
			return err
		}
		if err := c.free(ctx, app, name, at >= 0 && before[at].Var == name); err != nil {
			return err
		}
	}
	if _, err := c.Links.AddLink(ctx, c.Actor, app, target, name); err != nil {
		return err
	}
	if name != "" {
		err := c.Core.SetConfig(ctx, c.Actor, app, apps.ConfigChange{Set: map[string]string{name: value}}, c.Out)
		if err != nil {
			if at < 0 {
				err = errors.Join(err, c.Links.RemoveLink(ctx, c.Actor, app, target))
			}
			return err
		}
	}
	return c.done("%s reaches %s at %s: port %s", app, target, core.LinkHost(target), offer.Text())
}

// free says that a variable has a value that no link has set, or nil.
func (c commands) free(ctx context.Context, app, name string, own bool) error {
	vars, err := c.Settings.Vars(ctx, app)
	if err != nil {
		return err
	}
	if _, set := vars[name]; set && !own {
		return core.Reject(fmt.Sprintf("%s has a %s already", app, name),
			fmt.Sprintf("take it away, `config:unset %s %s`, or choose another name", app, name))
	}
	return nil
}

func (c commands) linksRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "links:remove APP TARGET", Short: "take a link away, with its variable, and cut what is connected by it (administrators)",
		Example: "links:remove shop db", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := c.operator(cmd.Context(), a...); err != nil {
			return err
		}
		return c.unlink(cmd.Context(), a[0], a[1])
	}
	return cmd
}

// unlink takes the link away first: whoever types it means that the app is to reach the other one no longer, whatever
// becomes of its variable.
func (c commands) unlink(ctx context.Context, app, target string) error {
	before, err := c.Links.LinksOf(ctx, app)
	if err != nil {
		return err
	}
	if err := c.Links.RemoveLink(ctx, c.Actor, app, target); err != nil {
		return err
	}
	if err := c.done("%s does not reach %s any more", app, target); err != nil {
		return err
	}
	for _, l := range before {
		if l.App != app || l.Target != target || l.Var == "" {
			continue
		}
		return c.unset(ctx, l)
	}
	return nil
}

// unset takes the variable of a link away, unless somebody has given it another value.
func (c commands) unset(ctx context.Context, l core.Link) error {
	vars, err := c.Settings.Vars(ctx, l.App)
	if err != nil {
		return err
	}
	value, set := vars[l.Var]
	switch {
	case !set:
		return nil
	case !strings.Contains(value, core.LinkHost(l.Target)) && !strings.Contains(value, core.LinkHost(l.Name)):
		return c.done("%s of %s stays: it does not name %s", l.Var, l.App, core.LinkHost(l.Target))
	}
	err = c.Core.SetConfig(ctx, c.Actor, l.App, apps.ConfigChange{Unset: []string{l.Var}}, c.Out)
	if err != nil {
		return fmt.Errorf("the link is gone, and %s of %s is still set (`config:unset --no-restart %s %s` takes it away): %w", l.Var, l.App, l.App, l.Var, err)
	}
	return nil
}

// valueOf fills in the value of a link's variable: {host} and {port} are those of the target. An empty template is
// http://… for a target that speaks HTTP, and tcp://… for another one.
func valueOf(template, target string, o offer.Offer) (string, error) {
	port := o.First()
	if template == "" {
		template = "tcp://{host}:{port}"
		if !o.NoHTTP && len(o.Ports()) == 0 {
			template = "http://{host}:{port}"
		}
	}
	if port == 0 && strings.Contains(template, "{port}") {
		return "", core.Reject(target+" has no live release, so its port is not known",
			"deploy it first, or write its port: --value '"+strings.ReplaceAll(template, "{port}", "8080")+"'")
	}
	value := strings.NewReplacer("{host}", core.LinkHost(target), "{port}", strconv.Itoa(port)).Replace(template)
	if i := strings.IndexByte(value, '{'); i >= 0 {
		word, _, closed := strings.Cut(value[i:], "}")
		if closed {
			return "", core.Reject(fmt.Sprintf("there is no %.40s} for a link", word), "write {host} and {port}")
		}
	}
	return value, nil
}

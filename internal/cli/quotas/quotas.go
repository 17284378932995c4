// Package quotas is the commands about what apps and people may take of the server.
//
// It owns their words and tables, and that only administrators set a quota. It does not own what a quota means (package
// quota).
package quotas

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/quota"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

type commands struct{ command.Shared }

// OfApps is the command for the quota of an app.
func OfApps(s command.Shared) []*cobra.Command { return []*cobra.Command{commands{s}.quota()} }

// OfPeople is the command for the quota of a user.
func OfPeople(s command.Shared) []*cobra.Command { return []*cobra.Command{commands{s}.usersQuota()} }

const values = "a size (2G) or a number; `unlimited`, or `default` for what holds for all"

func (c commands) quota() *cobra.Command {
	cmd := &cobra.Command{
		Use: "quota APP [--memory 2G] [--cpus 4] [--machines 4] [--disk 10G]", DisableFlagsInUseLine: true,
		Short: "show or set what an app may take of the server",
		Long: "Show what an app has of the server and may have at most, or set the latter, as an administrator: the memory and\n" +
			"CPUs of all of its machines together, their number, and its disk (images, repository, logs, and volumes by\n" +
			"their size). Each is " + values + ".\n\n" +
			"What runs goes on. What would be more is refused: pushes, ps:scale, resource, run, jobs, volumes:create. While\n" +
			"a release takes the place of another one, both count as one.",
		Example: "quota shop\nquota shop --memory 2G --machines 4 --disk 10G\nquota shop --memory default",
		Args:    command.Args(cobra.ExactArgs(1)),
	}
	asJSON, change := command.JSONFlag(cmd), flags(cmd, core.LimitsOfApp)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		if changed(cmd) {
			if err := c.set(cmd, change, a[0], c.Quotas.ChangeApp); err != nil {
				return err
			}
		}
		all, err := c.Quotas.OfApp(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		return c.show(all, *asJSON)
	}
	return cmd
}

func (c commands) usersQuota() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:quota [NAME] [--memory 2G] [--cpus 4] [--machines 4] [--disk 10G] [--apps 3]", DisableFlagsInUseLine: true,
		Short: "show or set what the apps of a user may take together",
		Long: "Show what the apps that a user has made have of the server, and may have at most, or set the latter, as an\n" +
			"administrator. --apps is how many apps they may make. Each is " + values + ".\n" +
			"Without NAME, it is about yourself. `help quota` says what counts.",
		Example: "users:quota\nusers:quota sam --apps 3 --memory 2G\nusers:quota sam --memory default",
		Args:    command.Args(cobra.MaximumNArgs(1)),
	}
	asJSON, change := command.JSONFlag(cmd), flags(cmd, core.LimitsOfUser)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		name := strings.Join(append(a, c.Actor.Name)[:1], "")
		if !c.Admin && (name != c.Actor.Name || changed(cmd)) {
			return people.ErrNotAdmin
		}
		if changed(cmd) {
			if err := c.set(cmd, change, name, c.Quotas.ChangeUser); err != nil {
				return noUser(name, err)
			}
		}
		all, err := c.Quotas.OfUser(cmd.Context(), name)
		if err != nil {
			return noUser(name, err)
		}
		return c.show(all, *asJSON)
	}
	return cmd
}

func noUser(name string, err error) error {
	if core.IgnoreMissing(err) != nil {
		return err
	}
	return fmt.Errorf("there is no user %q; `users` lists them", name)
}

// flags adds a flag for each limit, and returns what they do to a quota.
func flags(cmd *cobra.Command, limits []core.Limited) (change func(core.Quota) error) {
	words := map[core.Limited]*string{}
	for _, l := range limits {
		words[l] = cmd.Flags().String(string(l), "", l.Form()+", unlimited, or default: what holds for all")
	}
	return func(q core.Quota) error {
		for _, l := range limits {
			if !cmd.Flags().Changed(string(l)) {
				continue
			}
			if err := q.Set(l, *words[l]); err != nil {
				return command.Misuse(cmd, fmt.Errorf("--%w", err))
			}
		}
		return nil
	}
}

func changed(cmd *cobra.Command) (any bool) {
	for _, l := range core.LimitsOfUser {
		any = any || cmd.Flags().Changed(string(l))
	}
	return any
}

func (c commands) set(
	cmd *cobra.Command, change func(core.Quota) error, name string,
	do func(ctx context.Context, by core.Actor, name string, change func(core.Quota) error) error,
) error {
	if !c.Admin {
		return people.ErrNotAdmin
	}
	return do(cmd.Context(), c.Actor, name, change)
}

// row is a limit. Sizes are in bytes.
type row struct {
	What string `json:"what"`
	Has  int64  `json:"has"`
	Most *int64 `json:"most"` // null: any number
	Set  bool   `json:"set"`  // for this app or user
}

func (c commands) show(all []quota.Share, asJSON bool) error {
	var rows []row
	table := [][]string{{"WHAT", "HAS", "MAY HAVE", "SET BY"}}
	for _, s := range all {
		r := row{What: string(s.Limited), Has: s.Has, Set: s.Set}
		by := "-"
		switch {
		case s.Set:
			by = "command"
		case s.Most != core.Unlimited:
			by = "default"
		}
		if s.Most != core.Unlimited {
			r.Most = &s.Most
		}
		rows = append(rows, r)
		table = append(table, []string{r.What, bare(s.Limited, s.Has), terminal.OrDash(bare(s.Limited, s.Most)), by})
	}
	return c.List(asJSON, rows, table)
}

// bare is n of l without what it is of, which stands beside it.
func bare(l core.Limited, n int64) string {
	text, _, _ := strings.Cut(l.Text(n), " of ")
	return text
}

package accounts

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// inviteFor is how long an invitation is open unless it says something else:
// long enough for a message to be read, too short for an old one to matter.
const inviteFor = "24h"

func (c commands) usersInvite() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "users:invite NAME [--admin | --app APP --role ROLE] [--expires 24h]",
		DisableFlagsInUseLine: true, Short: "print one line to send to NAME, which lets them in once", Example: "users:invite sam --role deploy --app shop", Args: command.Args(cobra.ExactArgs(1)),
	}
	admin := cmd.Flags().Bool("admin", false, "as an administrator")
	app := cmd.Flags().String("app", "", "with a role on this app, which need not exist yet")
	role := cmd.Flags().String("role", "deploy", "on that app: view, clone, deploy or admin")
	expires := cmd.Flags().String("expires", inviteFor, "how long the line can be used")
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		if err := people.CheckUserName(a[0]); err != nil {
			return err
		}
		limit, err := parseLimit(*app, *role, *admin)
		if err == nil && *app == "" && cmd.Flags().Changed("role") {
			err = errors.New("--role needs --app: a role is for one app")
		}
		if err != nil {
			return command.Misuse(cmd, err)
		}
		until, err := people.ParseExpiry(*expires, time.Now())
		if err != nil || until.IsZero() {
			return command.Misuse(cmd, errors.Join(err, errors.New("an invitation needs an end")))
		}
		return c.invite(cmd, people.Invitation{Name: a[0], Admin: *admin, App: limit.App, Role: limit.Role, Expires: until})
	})
	return cmd
}

func (c commands) invite(cmd *cobra.Command, i people.Invitation) error {
	code, i, err := c.People.Invite(cmd.Context(), c.Actor, i)
	if err != nil {
		return err
	}
	// The line alone goes to standard output: `gitd users:invite … | mail`.
	fmt.Fprintf(c.Err, "Send this line to %s (%s). It works once, until %s:\n", i.Name, i.Rights(), i.Expires.UTC().Format("2006-01-02 15:04 UTC"))
	_, err = fmt.Fprintln(c.Out, c.Door.SSH("join-"+code))
	fmt.Fprintf(c.Err, "ssh will ask %s whether the host key is the right one. It is %s.\n", i.Name, strings.Join(c.HostKeys, " or "))
	return err
}

func (c commands) usersAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:add NAME [--admin]", DisableFlagsInUseLine: true,
		Short: "add a user without a key, for certificates to name", Example: "users:add sam", Args: command.Args(cobra.ExactArgs(1)),
	}
	admin := cmd.Flags().Bool("admin", false, "as an administrator")
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		said, err := c.People.AddUser(cmd.Context(), c.Actor, a[0], *admin)
		return c.answer(said, userError(a[0], err))
	})
	return cmd
}

func (c commands) usersRename() *cobra.Command {
	cmd := &cobra.Command{Use: "users:rename NAME NEW-NAME", Short: "rename a user; keys and roles stay", Example: "users:rename admin ada", Args: command.Args(cobra.ExactArgs(2))}
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		said, err := c.People.RenameUser(cmd.Context(), c.Actor, a[0], a[1])
		return c.answer(said, userError(a[0], err))
	})
	return cmd
}

func (c commands) usersRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:remove NAME", Short: "remove a user with their keys and roles at once; their apps stay", Example: "users:remove sam", Args: command.Args(cobra.ExactArgs(1)),
	}
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		said, err := c.People.RemoveUser(cmd.Context(), c.Actor, a[0])
		return c.answer(said, userError(a[0], err))
	})
	return cmd
}

func (c commands) usersGrant() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:grant NAME (APP ROLE | --admin)", DisableFlagsInUseLine: true,
		Short: "give someone a role on an app (view, clone, deploy or admin), or everything", Example: "users:grant sam shop deploy", Args: command.Args(cobra.RangeArgs(1, 3)),
	}
	admin := cmd.Flags().Bool("admin", false, "make NAME an administrator")
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		if *admin && len(a) == 1 {
			said, err := c.People.SetAdmin(cmd.Context(), c.Actor, a[0], true)
			return c.answer(said, userError(a[0], err))
		}
		if *admin || len(a) != 3 {
			return command.Misuse(cmd, errors.New("name an app and a role, or --admin"))
		}
		if err := core.CheckName(a[1]); err != nil {
			return err
		}
		role, err := core.ParseRole(a[2])
		if err != nil {
			return command.Misuse(cmd, err)
		}
		said, err := c.People.Grant(cmd.Context(), c.Actor, people.Grant{User: a[0], App: a[1], Role: role})
		return c.answer(said, userError(a[0], err))
	})
	return cmd
}

func (c commands) usersRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:revoke NAME (APP | --admin)", DisableFlagsInUseLine: true,
		Short: "take someone's role on an app, for running sessions too", Example: "users:revoke sam shop", Args: command.Args(cobra.RangeArgs(1, 2)),
	}
	admin := cmd.Flags().Bool("admin", false, "NAME is no administrator any more")
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, a []string) error {
		if *admin == (len(a) == 2) {
			return command.Misuse(cmd, errors.New("name an app or --admin"))
		}
		if *admin {
			said, err := c.People.SetAdmin(cmd.Context(), c.Actor, a[0], false)
			return c.answer(said, userError(a[0], err))
		}
		said, err := c.People.Revoke(cmd.Context(), c.Actor, a[0], a[1])
		if errors.Is(err, core.ErrNotFound) {
			err = fmt.Errorf("%s has no role on %q; `users` lists who has which", a[0], a[1])
		}
		return c.answer(said, err)
	})
	return cmd
}

// answer says what a change was, or why it was not made.
func (c commands) answer(said string, err error) error {
	if err == nil {
		_, err = fmt.Fprintln(c.Out, said)
	}
	return err
}

// userError says what to do about a change that the ledger refused.
func userError(name string, err error) error {
	switch {
	case errors.Is(err, core.ErrNotFound):
		return fmt.Errorf("there is no user %q; `users` lists them, users:invite brings one", name)
	case errors.Is(err, people.ErrLastAdmin):
		return fmt.Errorf("%w; make someone else an administrator first: users:grant NAME --admin", people.ErrLastAdmin)
	case errors.Is(err, people.ErrNameTaken):
		return fmt.Errorf("%w; `users` lists them", people.ErrNameTaken)
	default:
		return err
	}
}

package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gitd/internal/core"
	"gitd/internal/people"
)

// inviteFor is how long an invitation is open unless it says something else:
// long enough for a message to be read, too short for an old one to matter.
const inviteFor = "24h"

func (t *tree) usersInvite() *cobra.Command {
	cmd := &cobra.Command{
		Use:                   "users:invite NAME [--admin | --app APP --role ROLE] [--expires 24h]",
		DisableFlagsInUseLine: true, Short: "print one line to send to NAME, which lets them in once", Example: "users:invite sam --role deploy --app shop", Args: args(cobra.ExactArgs(1)),
	}
	admin := cmd.Flags().Bool("admin", false, "as an administrator")
	app := cmd.Flags().String("app", "", "with a role on this app, which need not exist yet")
	role := cmd.Flags().String("role", "deploy", "on that app: view, deploy or admin")
	expires := cmd.Flags().String("expires", inviteFor, "how long the line can be used")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		if err := people.CheckUserName(a[0]); err != nil {
			return err
		}
		limit, err := parseLimit(*app, *role, *admin)
		if err == nil && *app == "" && cmd.Flags().Changed("role") {
			err = errors.New("--role needs --app: a role is for one app")
		}
		if err != nil {
			return usage(cmd, err)
		}
		until, err := parseExpiry(*expires, time.Now())
		if err != nil || until.IsZero() {
			return usage(cmd, errors.Join(err, errors.New("an invitation needs an end")))
		}
		return t.invite(cmd, people.Invitation{
			Name: a[0], Admin: *admin, App: limit.App, Role: limit.Role, By: t.Name, Created: time.Now(), Expires: until,
		})
	}
	return cmd
}

func (t *tree) invite(cmd *cobra.Command, i people.Invitation) error {
	code := people.NewCode()
	i.Hash = people.HashCode(code)
	if err := t.People.Invite(cmd.Context(), i); err != nil {
		return err
	}
	if err := t.record(cmd.Context(), i.App, "user.invite", "%s (%s)", i.Name, i.Rights()); err != nil {
		return err
	}
	// The line alone goes to standard output: `gitd users:invite … | mail`.
	fmt.Fprintf(t.Err, "Send this line to %s (%s). It works once, until %s:\n", i.Name, i.Rights(), i.Expires.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := fmt.Fprintln(t.Out, t.Door.SSH("join-"+code))
	return err
}

func (t *tree) usersGrant() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:grant NAME (APP ROLE | --admin)", DisableFlagsInUseLine: true,
		Short: "give someone a role on an app (view, deploy or admin), or everything", Example: "users:grant sam shop deploy", Args: args(cobra.RangeArgs(1, 3)),
	}
	admin := cmd.Flags().Bool("admin", false, "make NAME an administrator")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		if *admin && len(a) == 1 {
			if err := t.People.SetAdmin(cmd.Context(), a[0], true); err != nil {
				return userError(a[0], err)
			}
			return t.done(cmd.Context(), "", "user.grant", "%s is an administrator now", a[0])
		}
		if *admin || len(a) != 3 {
			return usage(cmd, errors.New("name an app and a role, or --admin"))
		}
		if err := core.CheckName(a[1]); err != nil {
			return err
		}
		role, err := core.ParseRole(a[2])
		if err != nil {
			return usage(cmd, err)
		}
		if err := t.People.Grant(cmd.Context(), people.Grant{User: a[0], App: a[1], Role: role}); err != nil {
			return userError(a[0], err)
		}
		return t.done(cmd.Context(), a[1], "user.grant", "%s has the role %s on %s now", a[0], role, a[1])
	}
	return cmd
}

func (t *tree) usersRevoke() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:revoke NAME (APP | --admin)", DisableFlagsInUseLine: true,
		Short: "take someone's role on an app, for running sessions too", Example: "users:revoke sam shop", Args: args(cobra.RangeArgs(1, 2)),
	}
	admin := cmd.Flags().Bool("admin", false, "NAME is no administrator any more")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		if *admin == (len(a) == 2) {
			return usage(cmd, errors.New("name an app or --admin"))
		}
		if *admin {
			if err := t.People.SetAdmin(cmd.Context(), a[0], false); err != nil {
				return userError(a[0], err)
			}
			return t.done(cmd.Context(), "", "user.revoke", "%s is no administrator any more", a[0])
		}
		err := t.People.Revoke(cmd.Context(), a[0], a[1])
		if errors.Is(err, core.ErrNotFound) {
			return fmt.Errorf("%s has no role on %q; `users` lists who has which", a[0], a[1])
		}
		if err != nil {
			return err
		}
		return t.done(cmd.Context(), a[1], "user.revoke", "%s has no role on %s any more", a[0], a[1])
	}
	return cmd
}

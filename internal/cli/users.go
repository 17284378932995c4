package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gitd/internal/core"
	"gitd/internal/people"
)

func (t *tree) users() *cobra.Command {
	cmd := &cobra.Command{Use: "users", Short: "list the people, their roles and open invitations", Example: "users --json", Args: args(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := t.userRows(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"NAME", "ROLE", "KEYS", "LAST SEEN", "ADDED"}}
		for _, u := range list {
			rows = append(rows, []string{u.Name, u.rights(), fmt.Sprint(u.Keys), ago(u.LastSeen), ago(u.Added)})
		}
		return t.list(*asJSON, list, rows)
	}
	return cmd
}

type userRow struct {
	Name     string               `json:"name"`
	Admin    bool                 `json:"admin"`
	Roles    map[string]core.Role `json:"roles"` // by app
	Keys     int                  `json:"keys"`
	Added    time.Time            `json:"added"`
	LastSeen time.Time            `json:"last_seen,omitzero"`
	Invited  time.Time            `json:"invited_until,omitzero"` // an invitation is open until then
}

func (u userRow) rights() string {
	var parts []string
	if u.Admin {
		parts = append(parts, "administrator")
	}
	for _, app := range sortedKeys(u.Roles) {
		parts = append(parts, u.Roles[app].String()+" on "+app)
	}
	if !u.Invited.IsZero() {
		parts = append(parts, "invited")
	}
	return orDash(strings.Join(parts, ", "))
}

// userRows are the users that the caller may know of: all of them, or
// themselves. Who is invited and not there yet is listed as well.
func (t *tree) userRows(ctx context.Context) ([]userRow, error) {
	users, err := t.People.Users(ctx)
	if err != nil {
		return nil, err
	}
	rows := []userRow{}
	for _, u := range users {
		if t.Admin || u.Name == t.Name {
			rows = append(rows, t.userRow(u))
		}
	}
	if err := t.countKeys(ctx, rows); err != nil || !t.Admin {
		return rows, err
	}
	return t.addInvited(ctx, rows)
}

// userRow is u as the caller may know them: a deploy key knows of one app.
func (t *tree) userRow(u people.User) userRow {
	row := userRow{Name: u.Name, Admin: u.Admin, Added: u.Added, Roles: map[string]core.Role{}}
	if t.Limit != (core.Limit{}) {
		return userRow{Name: u.Name, Added: u.Added, Roles: map[string]core.Role{t.Limit.App: t.Limit.Role}}
	}
	for _, g := range u.Grants {
		row.Roles[g.App] = g.Role
	}
	return row
}

func (t *tree) countKeys(ctx context.Context, rows []userRow) error {
	keys, err := t.People.Keys(ctx)
	for _, k := range keys {
		for i := range rows {
			if rows[i].Name == k.Name && t.mayKnow(k) {
				rows[i].Keys++
				rows[i].LastSeen = later(rows[i].LastSeen, k.LastUsed)
			}
		}
	}
	return err
}

func (t *tree) addInvited(ctx context.Context, rows []userRow) ([]userRow, error) {
	open, err := t.People.Invitations(ctx)
	for _, i := range open {
		known := false
		for n := range rows {
			if rows[n].Name == i.Name {
				rows[n].Invited, known = i.Expires, true
			}
		}
		if !known && !i.Claim() {
			rows = append(rows, userRow{Name: i.Name, Admin: i.Admin, Invited: i.Expires, Added: i.Created, Roles: map[string]core.Role{}})
			if i.App != "" {
				rows[len(rows)-1].Roles[i.App] = i.Role
			}
		}
	}
	return rows, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (t *tree) usersAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:add NAME [--admin]", DisableFlagsInUseLine: true,
		Short: "add a user without a key, for certificates to name", Example: "users:add sam", Args: args(cobra.ExactArgs(1)),
	}
	admin := cmd.Flags().Bool("admin", false, "as an administrator")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		if err := people.CheckUserName(a[0]); err != nil {
			return err
		}
		if err := t.People.AddUser(cmd.Context(), a[0], *admin); err != nil {
			return userError(a[0], err)
		}
		role := "no role yet"
		if *admin {
			role = "administrator"
		}
		return t.done(cmd.Context(), "", "user.add", "%s (%s)", a[0], role)
	}
	return cmd
}

func (t *tree) usersRename() *cobra.Command {
	cmd := &cobra.Command{Use: "users:rename NAME NEW-NAME", Short: "rename a user; keys and roles stay", Example: "users:rename admin ada", Args: args(cobra.ExactArgs(2))}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		if err := people.CheckUserName(a[1]); err != nil {
			return err
		}
		if err := t.People.RenameUser(cmd.Context(), a[0], a[1]); err != nil {
			return userError(a[0], err)
		}
		return t.done(cmd.Context(), "", "user.rename", "%s is %s now", a[0], a[1])
	}
	return cmd
}

func (t *tree) usersRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "users:remove NAME", Short: "remove a user with their keys and roles at once; their apps stay", Example: "users:remove sam", Args: args(cobra.ExactArgs(1)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		if err := t.People.RemoveUser(cmd.Context(), a[0]); err != nil {
			return userError(a[0], err)
		}
		return t.done(cmd.Context(), "", "user.remove", "%s is removed, with keys and roles", a[0])
	}
	return cmd
}

// done writes to the audit what a change was, says the same, and ends the
// connections of those who may less now.
func (t *tree) done(ctx context.Context, app, action, format string, args ...any) error {
	if err := t.record(ctx, app, action, format, args...); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.Out, format+"\n", args...)
	t.recheck()
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

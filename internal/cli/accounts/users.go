package accounts

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

func (c commands) users() *cobra.Command {
	cmd := &cobra.Command{Use: "users", Short: "list the people, their roles and open invitations", Example: "users --json", Args: command.Args(cobra.NoArgs)}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := c.userRows(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"NAME", "ROLE", "KEYS", "LAST SEEN", "ADDED"}}
		for _, u := range list {
			rows = append(rows, []string{u.Name, u.rights(), fmt.Sprint(u.Keys), terminal.Ago(u.LastSeen), terminal.Ago(u.Added)})
		}
		return c.List(*asJSON, list, rows)
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
	for _, app := range slices.Sorted(maps.Keys(u.Roles)) {
		parts = append(parts, u.Roles[app].String()+" on "+app)
	}
	if !u.Invited.IsZero() {
		parts = append(parts, "invited")
	}
	return terminal.OrDash(strings.Join(parts, ", "))
}

// userRows are the users that the caller may know of. Who is invited and not
// there yet is listed as well.
func (c commands) userRows(ctx context.Context) ([]userRow, error) {
	users, err := c.People.VisibleUsers(ctx, c.Actor)
	if err != nil {
		return nil, err
	}
	rows := []userRow{}
	for _, u := range users {
		row := userRow{Name: u.Name, Admin: u.Admin, Added: u.Added, Roles: map[string]core.Role{}}
		for _, g := range u.Grants {
			row.Roles[g.App] = g.Role
		}
		rows = append(rows, row)
	}
	if err := c.countKeys(ctx, rows); err != nil {
		return nil, err
	}
	return c.addInvited(ctx, rows)
}

func (c commands) countKeys(ctx context.Context, rows []userRow) error {
	keys, err := c.People.VisibleKeys(ctx, c.Actor)
	for _, k := range keys {
		for i := range rows {
			if rows[i].Name == k.Name {
				rows[i].Keys++
				rows[i].LastSeen = later(rows[i].LastSeen, k.LastUsed)
			}
		}
	}
	return err
}

func (c commands) addInvited(ctx context.Context, rows []userRow) ([]userRow, error) {
	open, err := c.People.VisibleInvitations(ctx, c.Actor)
	for _, i := range open {
		known := false
		for n := range rows {
			if rows[n].Name == i.Name {
				rows[n].Invited, known = i.Expires, true
			}
		}
		if !known {
			rows = append(rows, invitedRow(i))
		}
	}
	return rows, err
}

func invitedRow(i people.Invitation) userRow {
	row := userRow{Name: i.Name, Admin: i.Admin, Invited: i.Expires, Added: i.Created, Roles: map[string]core.Role{}}
	if i.App != "" {
		row.Roles[i.App] = i.Role
	}
	return row
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

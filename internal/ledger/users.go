package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// userTable is the table of the users, and that of their roles.
type userTable struct{ db *database }

const (
	selectUsers  = `SELECT name, admin, added FROM users `
	selectGrants = `SELECT name, app, role FROM grants `
)

// Users are sorted by name.
func (t userTable) Users(ctx context.Context) ([]people.User, error) {
	users, err := list(ctx, t.db.reader, "users", scanUser, selectUsers+`ORDER BY name`)
	if err != nil {
		return nil, err
	}
	grants, err := list(ctx, t.db.reader, "grants", scanGrant, selectGrants+`ORDER BY name, app`)
	if err != nil {
		return nil, err
	}
	for i, u := range users {
		for _, g := range grants {
			if g.User == u.Name {
				users[i].Grants = append(users[i].Grants, g)
			}
		}
	}
	return users, nil
}

// User finds a user by name.
func (t userTable) User(ctx context.Context, name string) (people.User, error) {
	return findUser(ctx, t.db.reader, name)
}

func findUser(ctx context.Context, q querier, name string) (people.User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, selectUsers+`WHERE name = ?`, name))
	if err != nil {
		return people.User{}, fmt.Errorf("user %q: %w", name, notFound(err))
	}
	u.Grants, err = list(ctx, q, "grants", scanGrant, selectGrants+`WHERE name = ? ORDER BY app`, name)
	return u, err
}

// AddUser stores a user without a key.
func (t userTable) AddUser(ctx context.Context, name string, admin bool, e core.Entry) error {
	return t.db.audited(ctx, "add user "+name, e, func(ctx context.Context, tx *sql.Tx) error {
		err := mustAffect(tx.ExecContext(ctx, `INSERT INTO users (name, admin, added) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			name, admin, instant{time.Now()}))
		if errors.Is(err, core.ErrNotFound) {
			return people.ErrNameTaken
		}
		return err
	})
}

// SetAdmin makes someone an administrator or takes that away.
func (t userTable) SetAdmin(ctx context.Context, name string, admin bool, e core.Entry) error {
	return t.db.audited(ctx, "set the rights of "+name, e, func(ctx context.Context, tx *sql.Tx) error {
		return keepAdmin(ctx, tx, func() error {
			return mustAffect(tx.ExecContext(ctx, `UPDATE users SET admin = ? WHERE name = ?`, admin, name))
		})
	})
}

// RenameUser keeps keys and roles: their references follow.
func (t userTable) RenameUser(ctx context.Context, from, to string, e core.Entry) error {
	return t.db.audited(ctx, "rename user "+from, e, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := findUser(ctx, tx, to); !errors.Is(err, core.ErrNotFound) {
			return errors.Join(err, people.ErrNameTaken)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE name = ?`, from); err != nil {
			return err
		}
		return mustAffect(tx.ExecContext(ctx, `UPDATE users SET name = ? WHERE name = ?`, to, from))
	})
}

// RemoveUser removes the keys, roles and open invitations too.
func (t userTable) RemoveUser(ctx context.Context, name string, e core.Entry) error {
	return t.db.audited(ctx, "remove user "+name, e, func(ctx context.Context, tx *sql.Tx) error {
		return keepAdmin(ctx, tx, func() error {
			if _, err := tx.ExecContext(ctx, `DELETE FROM invitations WHERE name = ?`, name); err != nil {
				return err
			}
			return mustAffect(tx.ExecContext(ctx, `DELETE FROM users WHERE name = ?`, name))
		})
	})
}

// Grant gives a role in place of the one before.
func (t userTable) Grant(ctx context.Context, g people.Grant, e core.Entry) error {
	return t.db.audited(ctx, "grant "+g.App, e, func(ctx context.Context, tx *sql.Tx) error {
		return grant(ctx, tx, g)
	})
}

func grant(ctx context.Context, tx *sql.Tx, g people.Grant) error {
	return mustAffect(tx.ExecContext(ctx, `INSERT INTO grants (name, app, role) SELECT name, ?, ? FROM users WHERE name = ?
		ON CONFLICT (name, app) DO UPDATE SET role = excluded.role`, g.App, int(g.Role), g.User))
}

// Revoke takes a role away.
func (t userTable) Revoke(ctx context.Context, user, app string, e core.Entry) error {
	return t.db.audited(ctx, "revoke "+app, e, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM grants WHERE name = ? AND app = ?`, user, app))
	})
}

// keepAdmin makes a change, but not one after which no administrator can log
// in. Where none could before, it allows every change.
func keepAdmin(ctx context.Context, tx *sql.Tx, change func() error) error {
	before, err := countAdmins(ctx, tx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := countAdmins(ctx, tx)
	if err == nil && after == 0 && before > 0 {
		return people.ErrLastAdmin
	}
	return err
}

// countAdmins counts the administrators who have a key that lets them in.
func countAdmins(ctx context.Context, tx *sql.Tx) (int, error) {
	var n int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE admin AND EXISTS
		(SELECT 1 FROM keys WHERE keys.name = users.name AND only_app = '' AND (expires IS NULL OR expires > ?))`,
		instant{time.Now()}).Scan(&n)
	return n, err
}

func scanUser(row scanner) (people.User, error) {
	var u people.User
	var added instant
	err := row.Scan(&u.Name, &u.Admin, &added)
	u.Added = added.Time
	return u, err
}

func scanGrant(row scanner) (people.Grant, error) {
	var g people.Grant
	var role int
	err := row.Scan(&g.User, &g.App, &role)
	g.Role = core.Role(role)
	return g, err
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// quotaTable is the table of what apps and users may take.
type quotaTable struct{ db *database }

// AppQuota is what was set for app.
func (t quotaTable) AppQuota(ctx context.Context, app string) (core.Quota, error) {
	q, err := t.read(ctx, `SELECT limited, most FROM quotas WHERE app = ?`, app)
	if err == nil && len(q) == 0 {
		_, err = findApp(ctx, t.db.reader, app)
	}
	return q, err
}

// UserQuota is what was set for user.
func (t quotaTable) UserQuota(ctx context.Context, user string) (core.Quota, error) {
	q, err := t.read(ctx, `SELECT limited, most FROM quotas WHERE owner = ?`, user)
	if err == nil && len(q) == 0 {
		var name string
		err = t.db.reader.QueryRowContext(ctx, `SELECT name FROM users WHERE name = ?`, user).Scan(&name)
	}
	return q, notFound(err)
}

func (t quotaTable) read(ctx context.Context, query, name string) (core.Quota, error) {
	type row struct {
		limited core.Limited
		most    int64
	}
	rows, err := list(ctx, t.db.reader, "quotas", func(s scanner) (r row, err error) {
		err = s.Scan(&r.limited, &r.most)
		return r, err
	}, query, name)
	q := core.Quota{}
	for _, r := range rows {
		q[r.limited] = r.most
	}
	return q, err
}

// quotaOf is how the quota of an app, or of a user, is written.
type quotaOf struct{ exists, clear, add string }

var (
	quotaOfApp = quotaOf{
		`SELECT name FROM apps WHERE name = ?`, `DELETE FROM quotas WHERE app = ?`,
		`INSERT INTO quotas (app, limited, most) VALUES (?, ?, ?)`,
	}
	quotaOfUser = quotaOf{
		`SELECT name FROM users WHERE name = ?`, `DELETE FROM quotas WHERE owner = ?`,
		`INSERT INTO quotas (owner, limited, most) VALUES (?, ?, ?)`,
	}
)

// SetAppQuota replaces what was set for app.
func (t quotaTable) SetAppQuota(ctx context.Context, app string, q core.Quota) error {
	return t.set(ctx, quotaOfApp, app, q)
}

// SetUserQuota replaces what was set for user.
func (t quotaTable) SetUserQuota(ctx context.Context, user string, q core.Quota) error {
	return t.set(ctx, quotaOfUser, user, q)
}

func (t quotaTable) set(ctx context.Context, of quotaOf, name string, q core.Quota) error {
	return t.db.change(ctx, fmt.Sprintf("set the quota of %q", name), func(ctx context.Context, tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, of.exists, name).Scan(&name); err != nil {
			return notFound(err)
		}
		if _, err := tx.ExecContext(ctx, of.clear, name); err != nil {
			return err
		}
		for limited, most := range q {
			if _, err := tx.ExecContext(ctx, of.add, name, string(limited), most); err != nil {
				return err
			}
		}
		return nil
	})
}

// Owned are the apps that user has made, by name.
func (t quotaTable) Owned(ctx context.Context, user string) ([]string, error) {
	return list(ctx, t.db.reader, "apps of a user", func(s scanner) (name string, err error) {
		err = s.Scan(&name)
		return name, err
	}, `SELECT name FROM apps WHERE owner = ? ORDER BY name`, user)
}

// FoundApp makes an app of user, who may have so many (core.Unlimited: any number), and reports whether it did. An
// existing one is left as it is. A user who is none of the ledger's, as the host, has no apps. With core.ErrTooMany,
// user has as many already.
func (t quotaTable) FoundApp(ctx context.Context, name, user string, most int64) (made bool, err error) {
	if err := core.CheckName(name); err != nil {
		return false, err
	}
	err = t.db.change(ctx, "create app "+name, func(ctx context.Context, tx *sql.Tx) error {
		_, err := scanApp(tx.QueryRowContext(ctx, selectApps+`WHERE name = ?`, name))
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var has int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM apps WHERE owner = ?`, user).Scan(&has); err != nil {
			return err
		}
		if most != core.Unlimited && has >= most {
			return core.ErrTooMany
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO apps (name, branch, created, owner)
			VALUES (?, '', ?, (SELECT name FROM users WHERE name = ?))`, name, time.Now().UnixNano(), user)
		made = err == nil
		return err
	})
	return made, err
}

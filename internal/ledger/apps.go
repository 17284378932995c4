package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/full"
)

// appTable is the table of the apps.
type appTable struct {
	db   *database
	vars varTable
}

const selectApps = `SELECT name, branch, created, stopped, lock_by, lock_reason, lock_since, was_named, found_mib, scale, dir, only_tags,
  coalesce(owner, ''), coalesce((SELECT version FROM releases WHERE app = name AND state = 'live'), 0) FROM apps `

// CreateApp adds an app; an existing one is left as it is.
func (t appTable) CreateApp(ctx context.Context, name string) (core.App, error) {
	if err := core.CheckName(name); err != nil {
		return core.App{}, err
	}
	var a core.App
	err := t.db.change(ctx, "create app "+name, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO apps (name, branch, created) VALUES (?, '', ?) ON CONFLICT DO NOTHING`,
			name, time.Now().UnixNano())
		if err != nil {
			return err
		}
		a, err = scanApp(tx.QueryRowContext(ctx, selectApps+`WHERE name = ?`, name))
		return err
	})
	return a, err
}

// App finds an app by its name.
func (t appTable) App(ctx context.Context, name string) (core.App, error) {
	return findApp(ctx, t.db.reader, name)
}

// Apps are sorted by name.
func (t appTable) Apps(ctx context.Context) ([]core.App, error) {
	return list(ctx, t.db.reader, "apps", scanApp, selectApps+`ORDER BY name`)
}

// ChangeApp stores what change does to an app. change must not use the ledger:
// it runs inside the only connection that writes.
func (t appTable) ChangeApp(ctx context.Context, name string, change func(a *core.App) error) error {
	return t.db.change(ctx, fmt.Sprintf("change app %q", name), func(ctx context.Context, tx *sql.Tx) error {
		a, err := scanApp(tx.QueryRowContext(ctx, selectApps+`WHERE name = ?`, name))
		if err != nil {
			return notFound(err)
		}
		if err := change(&a); err != nil {
			return err
		}
		return mustAffect(tx.ExecContext(ctx, `UPDATE apps SET branch = ?, stopped = ?, lock_by = ?, lock_reason = ?,
			lock_since = ?, was_named = ?, found_mib = ?, scale = ?, dir = ?, only_tags = ? WHERE name = ?`,
			a.Branch, a.Stopped, a.Lock.By, a.Lock.Reason, instant{a.Lock.Since}, a.FormerName, a.FoundMiB,
			document[core.Scale]{&a.Scale}, a.Dir, a.OnlyTags, name))
	})
}

// RenameApp gives an app another name. What refers to it follows, but for the
// audit: an entry says what was true when it was written.
func (t appTable) RenameApp(ctx context.Context, from, to string) error {
	if err := core.CheckName(to); err != nil {
		return err
	}
	return t.db.change(ctx, fmt.Sprintf("rename app %q to %q", from, to), func(ctx context.Context, tx *sql.Tx) error {
		var taken int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM apps WHERE name = ?`, to).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return core.ErrTaken
		}
		return t.vars.move(ctx, tx, from, to, func() error {
			return mustAffect(tx.ExecContext(ctx, `UPDATE apps SET name = ?, was_named = ? WHERE name = ?`, to, from, from))
		})
	})
}

// DeleteApp forgets an app with all that belongs to it but the audit.
func (t appTable) DeleteApp(ctx context.Context, name string) error {
	return t.db.change(ctx, fmt.Sprintf("delete app %q", name), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM apps WHERE name = ?`, name))
	})
}

// DeleteBareApp forgets an app that nothing was deployed to and nobody set anything for, and reports whether it did.
// Its releases that failed go with it.
func (t appTable) DeleteBareApp(ctx context.Context, name string) (deleted bool, err error) {
	err = t.db.change(ctx, fmt.Sprintf("delete app %q if it is bare", name), func(ctx context.Context, tx *sql.Tx) error {
		err := mustAffect(tx.ExecContext(ctx, `DELETE FROM apps WHERE name = ?1 AND lock_by = '' AND dir = '' AND only_tags = 0 AND scale IN ('null', '{}')
			AND NOT EXISTS (SELECT 1 FROM releases WHERE app = ?1 AND state <> 'failed')
			AND NOT EXISTS (SELECT 1 FROM vars WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM overrides WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM quotas WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM domains WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM certificates WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM networks WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM rules WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM host_ports WHERE app = ?1 AND by_range = 0)
			AND NOT EXISTS (SELECT 1 FROM links WHERE app = ?1 OR target = ?1)
			AND NOT EXISTS (SELECT 1 FROM volumes WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM drains WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM webhooks WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM grants WHERE app = ?1)
			AND NOT EXISTS (SELECT 1 FROM keys WHERE only_app = ?1)
			AND NOT EXISTS (SELECT 1 FROM invitations WHERE app = ?1)`, name))
		if errors.Is(err, core.ErrNotFound) {
			return nil
		}
		deleted = err == nil
		return err
	})
	return deleted, err
}

func findApp(ctx context.Context, q querier, name string) (core.App, error) {
	a, err := scanApp(q.QueryRowContext(ctx, selectApps+`WHERE name = ?`, name))
	if err != nil {
		return core.App{}, fmt.Errorf("app %q: %w", name, notFound(err))
	}
	return a, nil
}

func scanApp(row scanner) (core.App, error) {
	var a core.App
	var created, locked instant
	err := row.Scan(&a.Name, &a.Branch, &created, &a.Stopped, &a.Lock.By, &a.Lock.Reason, &locked, &a.FormerName, &a.FoundMiB,
		document[core.Scale]{&a.Scale}, &a.Dir, &a.OnlyTags, &a.Owner, &a.Live)
	a.Created, a.Lock.Since = created.Time, locked.Time
	return a, err
}

// notFound turns SQL's "no rows" into core.ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return core.ErrNotFound
	}
	return full.Explain(err)
}

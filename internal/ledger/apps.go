package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gitd/internal/deploy"
)

const selectApps = `SELECT name, branch, created,
  coalesce((SELECT version FROM releases WHERE app = name AND state = 'live'), 0) FROM apps `

// CreateApp adds an app; an existing one is left as it is.
func (l *Ledger) CreateApp(ctx context.Context, name string) (deploy.App, error) {
	if err := deploy.CheckName(name); err != nil {
		return deploy.App{}, err
	}
	var a deploy.App
	err := l.change(ctx, "create app "+name, func(ctx context.Context, tx *sql.Tx) error {
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
func (l *Ledger) App(ctx context.Context, name string) (deploy.App, error) {
	a, err := scanApp(l.reader.QueryRowContext(ctx, selectApps+`WHERE name = ?`, name))
	if err != nil {
		return deploy.App{}, fmt.Errorf("app %q: %w", name, notFound(err))
	}
	return a, nil
}

// Apps are sorted by name.
func (l *Ledger) Apps(ctx context.Context) ([]deploy.App, error) {
	return list(ctx, l.reader, "apps", scanApp, selectApps+`ORDER BY name`)
}

// SetBranch records the deploy branch of an app.
func (l *Ledger) SetBranch(ctx context.Context, app, branch string) error {
	return l.change(ctx, fmt.Sprintf("set the branch of app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `UPDATE apps SET branch = ? WHERE name = ?`, branch, app))
	})
}

func scanApp(row scanner) (deploy.App, error) {
	var a deploy.App
	var created instant
	err := row.Scan(&a.Name, &a.Branch, &created, &a.Live)
	a.Created = created.Time
	return a, err
}

// notFound turns SQL's "no rows" into the core's word.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return deploy.ErrNotFound
	}
	return err
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gitd/internal/core"
)

// Resources are those that were set for app by hand; zeros when none were.
func (l *Ledger) Resources(ctx context.Context, app string) (core.Resources, error) {
	var r core.Resources
	err := l.reader.QueryRowContext(ctx, `SELECT memory_mib, cpus FROM overrides WHERE app = ?`, app).Scan(&r.MemoryMiB, &r.CPUs)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = l.App(ctx, app)
	}
	return r, err
}

// SetResources replaces what was set for app.
func (l *Ledger) SetResources(ctx context.Context, app string, r core.Resources) error {
	if err := core.CheckResources(r); err != nil {
		return err
	}
	return l.change(ctx, fmt.Sprintf("set the resources of app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `INSERT INTO overrides (app, memory_mib, cpus)
			SELECT name, ?, ? FROM apps WHERE name = ?
			ON CONFLICT (app) DO UPDATE SET memory_mib = excluded.memory_mib, cpus = excluded.cpus`,
			r.MemoryMiB, r.CPUs, app))
	})
}

// Domains are the host names of app, or of all apps, sorted.
func (l *Ledger) Domains(ctx context.Context, app string) ([]core.Domain, error) {
	if app == "" {
		return list(ctx, l.reader, "domains", scanDomain, `SELECT app, host FROM domains ORDER BY app, host`)
	}
	return list(ctx, l.reader, "domains", scanDomain, `SELECT app, host FROM domains WHERE app = ? ORDER BY host`, app)
}

// AddDomain gives host to app, unless another app has it.
func (l *Ledger) AddDomain(ctx context.Context, app, host string) error {
	if err := core.CheckHost(host, ""); err != nil {
		return err
	}
	return l.change(ctx, fmt.Sprintf("add %s to app %q", host, app), func(ctx context.Context, tx *sql.Tx) error {
		err := one(tx.ExecContext(ctx, `INSERT INTO domains (host, app) SELECT ?, name FROM apps WHERE name = ?
			ON CONFLICT (host) DO UPDATE SET app = app WHERE app = excluded.app`, host, app))
		if !errors.Is(err, core.ErrNotFound) {
			return err
		}
		var taken string
		if err := tx.QueryRowContext(ctx, `SELECT host FROM domains WHERE host = ?`, host).Scan(&taken); err != nil {
			return notFound(err) // then it is the app that is not there
		}
		return core.Reject(host+" belongs to another app already", "remove it there first: domains:remove APP "+host)
	})
}

// RemoveDomain takes host from app.
func (l *Ledger) RemoveDomain(ctx context.Context, app, host string) error {
	return l.change(ctx, fmt.Sprintf("remove %q from app %q", host, app), func(ctx context.Context, tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `DELETE FROM domains WHERE host = ? AND app = ?`, host, app))
	})
}

func scanDomain(row scanner) (core.Domain, error) {
	var d core.Domain
	err := row.Scan(&d.App, &d.Host)
	return d, err
}

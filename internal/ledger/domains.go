package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// domainTable is the table of the host names that apps have beside their own.
type domainTable struct{ db *database }

// Domains are the host names of app, or of all apps, sorted.
func (t domainTable) Domains(ctx context.Context, app string) ([]core.Domain, error) {
	if app == "" {
		return list(ctx, t.db.reader, "domains", scanDomain, `SELECT app, host FROM domains ORDER BY app, host`)
	}
	return list(ctx, t.db.reader, "domains", scanDomain, `SELECT app, host FROM domains WHERE app = ? ORDER BY host`, app)
}

// AddDomain gives host to app, unless another app has it.
func (t domainTable) AddDomain(ctx context.Context, app, host string) error {
	if err := core.CheckHost(host, ""); err != nil {
		return err
	}
	return t.db.change(ctx, fmt.Sprintf("add %s to app %q", host, app), func(ctx context.Context, tx *sql.Tx) error {
		err := mustAffect(tx.ExecContext(ctx, `INSERT INTO domains (host, app) SELECT ?, name FROM apps WHERE name = ?
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

// RemoveDomain takes host from app, and the certificate that was set for it.
func (t domainTable) RemoveDomain(ctx context.Context, app, host string) error {
	return t.db.change(ctx, fmt.Sprintf("remove %q from app %q", host, app), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM certificates WHERE host = ? AND app = ?`, host, app); err != nil {
			return err
		}
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM domains WHERE host = ? AND app = ?`, host, app))
	})
}

func scanDomain(row scanner) (core.Domain, error) {
	var d core.Domain
	err := row.Scan(&d.App, &d.Host)
	return d, err
}

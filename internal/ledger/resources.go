package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// resourceTable is the table of the resources that were set for an app by
// hand.
type resourceTable struct{ db *database }

// Resources are those that were set for app by hand; zeros when none were.
func (t resourceTable) Resources(ctx context.Context, app string) (core.Resources, error) {
	var r core.Resources
	err := t.db.reader.QueryRowContext(ctx, `SELECT memory_mib, cpus FROM overrides WHERE app = ?`, app).Scan(&r.MemoryMiB, &r.CPUs)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = findApp(ctx, t.db.reader, app)
	}
	return r, err
}

// SetResources replaces what was set for app.
func (t resourceTable) SetResources(ctx context.Context, app string, r core.Resources) error {
	if err := core.CheckResources(r); err != nil {
		return err
	}
	return t.db.change(ctx, fmt.Sprintf("set the resources of app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO overrides (app, memory_mib, cpus)
			SELECT name, ?, ? FROM apps WHERE name = ?
			ON CONFLICT (app) DO UPDATE SET memory_mib = excluded.memory_mib, cpus = excluded.cpus`,
			r.MemoryMiB, r.CPUs, app))
	})
}

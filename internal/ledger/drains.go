package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// drainTable is the table of the drains, whose URLs are sealed.
type drainTable struct {
	db     *database
	sealer seal.Sealer
}

// sealedDrains is the place that the URLs of drains are sealed for, beside the id: no app has this name.
const sealedDrains = "@drains"

// Drains are those of all apps, in the order in which they were added.
func (t drainTable) Drains(ctx context.Context) ([]core.Drain, error) {
	return list(ctx, t.db.reader, "drains", func(row scanner) (core.Drain, error) {
		var d core.Drain
		var sealed []byte
		var added instant
		err := row.Scan(&d.ID, &d.App, &sealed, &d.Builds, &d.By, &added)
		if err != nil {
			return d, err
		}
		d.Added = added.Time
		if d.URL, err = t.sealer.Open(sealed, sealedDrains, d.ID); err != nil {
			return d, fmt.Errorf("drain %s: %w", d.ID, err)
		}
		return d, nil
	}, `SELECT id, coalesce(app, ''), sealed, builds, by, added FROM drains ORDER BY added, id`)
}

// AddDrain stores a drain and records it in the audit.
func (t drainTable) AddDrain(ctx context.Context, d core.Drain, e core.Entry) error {
	sealed, err := t.sealer.Seal(d.URL, sealedDrains, d.ID)
	if err != nil {
		return err
	}
	return t.db.audited(ctx, "add drain "+d.ID, e, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO drains (id, app, sealed, builds, by, added)
			SELECT ?1, nullif(?2, ''), ?3, ?4, ?5, ?6 WHERE ?2 = '' OR EXISTS (SELECT 1 FROM apps WHERE name = ?2)`,
			d.ID, d.App, sealed, d.Builds, d.By, instant{d.Added}))
	})
}

// RemoveDrain forgets a drain and records it in the audit.
func (t drainTable) RemoveDrain(ctx context.Context, id string, e core.Entry) error {
	return t.db.audited(ctx, "remove drain "+id, e, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM drains WHERE id = ?`, id))
	})
}

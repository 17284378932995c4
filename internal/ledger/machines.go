package ledger

import (
	"context"
	"database/sql"

	"github.com/nodeos-dev/gitd/internal/core"
)

// machineTable is the table of the machines that run, or ran when gitd ended.
type machineTable struct{ db *database }

// SaveMachine stores m, in place of what was stored under its id. Its release
// must exist.
func (t machineTable) SaveMachine(ctx context.Context, m core.Machine) error {
	return t.db.change(ctx, "save machine "+m.ID, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO machines (id, app, release, addr, started)
			SELECT ?, app, version, ?, ? FROM releases WHERE app = ? AND version = ?
			ON CONFLICT (id) DO UPDATE SET app = excluded.app, release = excluded.release,
			  addr = excluded.addr, started = excluded.started`,
			m.ID, m.Addr, instant{m.Started}, m.App, m.Release))
	})
}

// DeleteMachine forgets a machine; an unknown id is no error.
func (t machineTable) DeleteMachine(ctx context.Context, id string) error {
	return t.db.change(ctx, "delete machine "+id, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM machines WHERE id = ?`, id)
		return err
	})
}

// Machines are sorted by id.
func (t machineTable) Machines(ctx context.Context) ([]core.Machine, error) {
	return list(ctx, t.db.reader, "machines", scanMachine, `SELECT id, app, release, addr, started FROM machines ORDER BY id`)
}

func scanMachine(row scanner) (core.Machine, error) {
	var m core.Machine
	var started instant
	err := row.Scan(&m.ID, &m.App, &m.Release, &m.Addr, &started)
	m.Started = started.Time
	return m, err
}

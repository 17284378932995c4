package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"

	"github.com/nodeos-dev/gitd/internal/core"
)

// machineTable is the table of the machines that run, or ran when gitd ended.
type machineTable struct{ db *database }

// SaveMachine stores m, in place of what was stored under its id. Its release
// must exist.
func (t machineTable) SaveMachine(ctx context.Context, m core.Machine) error {
	return t.db.change(ctx, "save machine "+m.ID, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO machines (id, app, release, process, addr, started)
			SELECT ?, app, version, ?, ?, ? FROM releases WHERE app = ? AND version = ?
			ON CONFLICT (id) DO UPDATE SET app = excluded.app, release = excluded.release, process = excluded.process,
			  addr = excluded.addr, started = excluded.started`,
			m.ID, processText(m), m.Addr, instant{m.Started}, m.App, m.Release))
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
	return list(ctx, t.db.reader, "machines", scanMachine, `SELECT id, app, release, process, addr, started FROM machines ORDER BY id`)
}

func scanMachine(row scanner) (core.Machine, error) {
	var m core.Machine
	var started instant
	var process string
	err := row.Scan(&m.ID, &m.App, &m.Release, &process, &m.Addr, &started)
	m.Started = started.Time
	return m, errors.Join(err, m.Process.UnmarshalText([]byte(process)))
}

// processText is the process that m is. Machines that were labelled before there were several are web.
func processText(m core.Machine) string { return cmp.Or(m.Process, core.FirstWeb).String() }

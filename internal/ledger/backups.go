package ledger

import (
	"context"
	"database/sql"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// backupTable is the table of the plan of backups: one row, or none.
type backupTable struct{ db *database }

// BackupPlan is the plan, or core.ErrNotFound.
func (t backupTable) BackupPlan(ctx context.Context) (p core.BackupPlan, err error) {
	var last instant
	err = t.db.reader.QueryRowContext(ctx, `SELECT schedule, dir, keep, secrets, layers, last, problem FROM backup_plan`).
		Scan(&p.Schedule, &p.Dir, &p.Keep, &p.Secrets, &p.Layers, &last, &p.Problem)
	p.Last = last.Time
	return p, notFound(err)
}

// SetBackupPlan replaces the plan; nil: there is none any more.
func (t backupTable) SetBackupPlan(ctx context.Context, p *core.BackupPlan) error {
	return t.db.change(ctx, "set the plan of backups", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM backup_plan`)
		if err == nil && p != nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO backup_plan (id, schedule, dir, keep, secrets, layers, last, problem) VALUES (1, ?, ?, ?, ?, ?, ?, ?)`,
				p.Schedule, p.Dir, p.Keep, p.Secrets, p.Layers, instant{p.Last}, p.Problem)
		}
		return err
	})
}

// NoteBackup stores what became of a planned backup.
func (t backupTable) NoteBackup(ctx context.Context, at time.Time, problem string) error {
	return t.db.change(ctx, "note a backup", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE backup_plan SET last = ?, problem = ?`, instant{at}, problem)
		return err
	})
}

package ledger

import (
	"context"
	"database/sql"

	"gitd/internal/core"
)

// Record appends to the audit.
func (l *Ledger) Record(ctx context.Context, e core.Entry) error {
	return l.change(ctx, "record "+e.Action, func(ctx context.Context, tx *sql.Tx) error {
		return record(ctx, tx, e)
	})
}

func record(ctx context.Context, tx *sql.Tx, e core.Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO entries (time, app, actor, action, detail) VALUES (?, ?, ?, ?, ?)`,
		instant{e.Time}, e.App, e.Actor, e.Action, e.Detail)
	return err
}

// Entries are the newest first, in the order of their recording: clocks can
// step back. An empty app means all, and so does a limit of 0.
func (l *Ledger) Entries(ctx context.Context, app string, limit int) ([]core.Entry, error) {
	const columns = `SELECT time, app, actor, action, detail FROM entries `
	if app == "" {
		return list(ctx, l.reader, "entries", scanEntry, columns+`ORDER BY id DESC LIMIT ?`, noLimit(limit))
	}
	return list(ctx, l.reader, "entries", scanEntry, columns+`WHERE app = ? ORDER BY id DESC LIMIT ?`, app, noLimit(limit))
}

func scanEntry(row scanner) (core.Entry, error) {
	var e core.Entry
	var at instant
	err := row.Scan(&at, &e.App, &e.Actor, &e.Action, &e.Detail)
	e.Time = at.Time
	return e, err
}

package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// entryTable is the audit. Its entries are written and never changed.
type entryTable struct{ db *database }

// Record appends to the audit.
func (t entryTable) Record(ctx context.Context, e core.Entry) error {
	return t.db.change(ctx, "record "+e.Action, func(ctx context.Context, tx *sql.Tx) error {
		return record(ctx, tx, e)
	})
}

// audited makes a change and records it in the audit, in one transaction.
func (db *database) audited(ctx context.Context, what string, e core.Entry, f func(ctx context.Context, tx *sql.Tx) error) error {
	return db.change(ctx, what, func(ctx context.Context, tx *sql.Tx) error {
		if err := f(ctx, tx); err != nil {
			return err
		}
		return audit(ctx, tx, e)
	})
}

// audit records a change in the transaction that makes it.
func audit(ctx context.Context, tx *sql.Tx, e core.Entry) error {
	if err := record(ctx, tx, e); err != nil {
		return fmt.Errorf("the audit does not take it, so nothing was changed: %w", err)
	}
	return nil
}

func record(ctx context.Context, tx *sql.Tx, e core.Entry) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO entries (time, app, actor, action, detail) VALUES (?, ?, ?, ?, ?)`,
		instant{e.Time}, e.App, e.Actor, e.Action, e.Detail)
	return err
}

// Entries are the newest first, in the order of their recording: clocks can
// step back. An empty app means all, and so does a limit of 0.
func (t entryTable) Entries(ctx context.Context, app string, limit int) ([]core.Entry, error) {
	if app == "" {
		return list(ctx, t.db.reader, "entries", scanEntry, entryColumns+`ORDER BY id DESC LIMIT ?`, noLimit(limit))
	}
	return list(ctx, t.db.reader, "entries", scanEntry, entryColumns+`WHERE app = ? ORDER BY id DESC LIMIT ?`, app, noLimit(limit))
}

const entryColumns = `SELECT id, time, app, actor, action, detail FROM entries `

// EntriesOf are those of r. Of several apps, it looks at all entries in their order (the + keeps SQLite from sorting
// what the index of each app has): whoever reads the whole audit page by page looks at each of them once.
func (t entryTable) EntriesOf(ctx context.Context, r core.EntryRange) ([]core.Entry, error) {
	where, args := `WHERE id > ?`, []any{r.After}
	if r.Before > 0 {
		where, args = where+` AND id < ?`, append(args, r.Before)
	}
	if !r.Since.IsZero() {
		where, args = where+` AND time >= ?`, append(args, instant{r.Since})
	}
	switch {
	case len(r.Apps) == 1:
		where, args = where+` AND app = ?`, append(args, r.Apps[0])
	case r.Apps != nil:
		names, err := json.Marshal(r.Apps)
		if err != nil {
			return nil, err
		}
		where, args = where+` AND +app IN (SELECT value FROM json_each(?))`, append(args, string(names))
	}
	order := ` ORDER BY id LIMIT ?`
	if r.Newest {
		order = ` ORDER BY id DESC LIMIT ?`
	}
	return list(ctx, t.db.reader, "entries", scanEntry, entryColumns+where+order, append(args, noLimit(r.Limit))...)
}

func scanEntry(row scanner) (core.Entry, error) {
	var e core.Entry
	var at instant
	err := row.Scan(&e.ID, &at, &e.App, &e.Actor, &e.Action, &e.Detail)
	e.Time = at.Time
	return e, err
}

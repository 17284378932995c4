package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/ledger/full"
)

// SQLite's log of changes (the -wal file) is folded into the database when nothing has changed for quiet, and when
// changes follow each other for longer than that, after patience. Whoever loses the log loses no more than that.
const (
	quiet    = 200 * time.Millisecond
	patience = 2 * time.Second
)

// foldWait is how long folding waits for readers. Without it, what can be folded is, and the rest is the next time.
const foldWait = 50 * time.Millisecond

// fold writes all changes of the log into the database, and empties the log. It runs on the connection that writes, so
// that our own writers queue in Go meanwhile, and not in SQLite.
func (db *database) fold(ctx context.Context) error {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("ledger: fold the log: %w", err)
	}
	defer conn.Close()
	ctx = context.WithoutCancel(ctx)
	if err := setBusyTimeout(ctx, conn, foldWait); err != nil {
		return err
	}
	defer setBusyTimeout(ctx, conn, lockWait) //nolint:errcheck // it fails only where the connection is dead
	var busy, frames, folded int              // -1: the database has no log
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &folded)
	if err != nil {
		return fmt.Errorf("ledger: fold the log: %w", full.Explain(err))
	}
	if busy != 0 {
		db.touch() // somebody reads: try again
	}
	return nil
}

func setBusyTimeout(ctx context.Context, conn *sql.Conn, d time.Duration) error {
	_, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds()))
	return err
}

// touch notes that there is something to fold.
func (db *database) touch() {
	db.changes.Add(1)
	select {
	case db.changed <- struct{}{}:
	default:
	}
}

// calm waits until nothing has changed for quiet, but no longer than patience. It reports whether ctx is still on.
func (db *database) calm(ctx context.Context) bool {
	end := time.After(patience)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-db.changed:
		case <-time.After(quiet):
			return true
		case <-end:
			return true
		}
	}
}

package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// KeepCopy makes a dated copy, and removes older ones that are no longer needed. It reports whether there is a new one;
// why there is none is logged.
func (l *Ledger) KeepCopy(ctx context.Context, log *slog.Logger) bool {
	c, err := l.copy(ctx, time.Now())
	if err == nil {
		err = copies.Prune(l.path)
	}
	switch {
	case err == nil:
		log.Info("ledger copied", "file", c.Path)
	case ctx.Err() == nil:
		log.Warn("no copy of the ledger was made", "error", err)
	}
	return err == nil
}

// copy makes a dated copy.
func (db *database) copy(ctx context.Context, now time.Time) (copies.Copy, error) {
	c := copies.At(db.path, now)
	return c, copies.Make(ctx, db.reader, db.path, c)
}

// WriteCopy writes the ledger as it is at one moment to the empty file at path, and reads it again.
func (l *Ledger) WriteCopy(ctx context.Context, path string) error {
	if err := copies.Backup(ctx, l.reader, path); err != nil {
		return fmt.Errorf("copy the ledger: %w", err)
	}
	return copies.Copy{Path: path}.Check(ctx)
}

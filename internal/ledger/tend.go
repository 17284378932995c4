package ledger

import (
	"context"
	"log/slog"
	"time"
)

// copyEvery is the time between two dated copies of a ledger that changes.
const copyEvery = time.Hour

// Tend makes a dated copy, and then one in each hour in which something changes. It folds the log at each quiet moment.
// It returns when ctx ends; what fails is logged and tried again.
func (l *Ledger) Tend(ctx context.Context, log *slog.Logger) error {
	hourly := time.NewTicker(copyEvery)
	defer hourly.Stop()
	copied := l.changes.Load()
	l.KeepCopy(ctx, log)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.changed:
			if !l.calm(ctx) {
				return nil
			}
			n := l.changes.Load()
			if err := l.fold(ctx); err != nil && ctx.Err() == nil {
				log.Error("the ledger's log is not folded", "error", err)
				continue
			}
			log.Debug("ledger folded", "changes", n)
		case <-hourly.C:
			if n := l.changes.Load(); n != copied && l.KeepCopy(ctx, log) {
				copied = n
			}
		}
	}
}

// Package audit is the trail of what is done to apps.
//
// It owns how an entry is made, how the trail is read and followed, and the events of the doors, which are not part of
// it. It does not own where entries are stored (package ledger) nor the entries that are part of a change's own
// transaction.
package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Entries is where the trail is stored.
type Entries interface {
	// Record appends an entry. It never holds a secret.
	Record(ctx context.Context, e core.Entry) error
}

// Trail is the audit of what is done to apps: who did what to which. Changes of people have their entries in the
// transaction that makes them (package people), and so have the steps of a release (package ledger).
type Trail struct {
	entries Entries
	log     *slog.Logger
}

// New writes to entries.
func New(entries Entries, log *slog.Logger) *Trail { return &Trail{entries, log} }

// Note adds an entry; app may be empty. What it tells of has happened already, so a failure is logged and not
// returned.
func (t *Trail) Note(ctx context.Context, app, actor, action, detail string) {
	if err := t.Before(ctx, app, actor, action, detail); err != nil {
		t.log.Error("audit entry lost", "app", app, "action", action, "error", err)
	}
}

// Before adds an entry of what is about to happen, and must not happen when it returns an error.
func (t *Trail) Before(ctx context.Context, app, actor, action, detail string) error {
	return t.entries.Record(ctx, core.Entry{Time: time.Now(), App: app, Actor: actor, Action: action, Detail: detail})
}

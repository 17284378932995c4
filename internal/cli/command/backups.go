package command

import (
	"context"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/backup"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/snapshot"
)

// Backups makes backups of the whole server.
type Backups interface {
	// Write writes one to out, and its progress to r.
	Write(ctx context.Context, by core.Actor, o backup.Options, out io.Writer, r *progress.Report) error
	// Plan is how backups are made by themselves, or core.ErrNotFound; Due is when the next one begins.
	Plan(ctx context.Context) (core.BackupPlan, error)
	Due(p core.BackupPlan) time.Time
	SetPlan(ctx context.Context, by core.Actor, p *core.BackupPlan) error
}

// Snapshots takes copies of volumes.
type Snapshots interface {
	Snapshot(ctx context.Context, by core.Actor, app, volume, name string, w io.Writer) error
	// SnapshotsOf are those of a volume, the oldest first.
	SnapshotsOf(ctx context.Context, app, volume string) ([]core.Snapshot, error)
	RemoveSnapshot(ctx context.Context, by core.Actor, app, volume, name string) error
	Fork(ctx context.Context, by core.Actor, f snapshot.Fork, w io.Writer) error
	// Export writes the bytes of a volume, or of its snapshot, to out, and Import reads them.
	Export(ctx context.Context, by core.Actor, app, volume, snapshot string, out, w io.Writer) error
	Import(ctx context.Context, by core.Actor, app, volume string, force bool, in io.Reader, w io.Writer) error
}

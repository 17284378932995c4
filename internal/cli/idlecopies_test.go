package cli

import (
	"context"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/backup"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/snapshot"
)

// idleCopies makes no copies and no backups.
type idleCopies struct{}

func (idleCopies) Snapshot(context.Context, core.Actor, string, string, string, io.Writer) error {
	return nil
}

func (idleCopies) SnapshotsOf(context.Context, string, string) ([]core.Snapshot, error) {
	return nil, nil
}

func (idleCopies) RemoveSnapshot(context.Context, core.Actor, string, string, string) error {
	return nil
}

func (idleCopies) Fork(context.Context, core.Actor, snapshot.Fork, io.Writer) error { return nil }

func (idleCopies) Export(context.Context, core.Actor, string, string, string, io.Writer, io.Writer) error {
	return nil
}

func (idleCopies) Import(context.Context, core.Actor, string, string, bool, io.Reader, io.Writer) error {
	return nil
}

func (idleCopies) Write(context.Context, core.Actor, backup.Options, io.Writer, *progress.Report) error {
	return nil
}

func (idleCopies) Plan(context.Context) (core.BackupPlan, error) {
	return core.BackupPlan{}, core.ErrNotFound
}

func (idleCopies) Due(core.BackupPlan) time.Time { return time.Time{} }

func (idleCopies) SetPlan(context.Context, core.Actor, *core.BackupPlan) error { return nil }

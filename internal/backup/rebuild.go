package backup

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// Rebuilder builds the apps again whose images a restore has not brought.
type Rebuilder struct {
	State core.StateDir
	Lives func(ctx context.Context) ([]core.Release, error) // of all apps
	// Rebuild builds the live commit of app again and deploys it.
	Rebuild func(ctx context.Context, by core.Actor, app string, w io.Writer) error
	Trail   *audit.Trail
	Log     *slog.Logger
}

// Run does it once after a restore, one app after the other, and nothing otherwise. What cannot be built is logged, and
// in the audit.
func (b Rebuilder) Run(ctx context.Context) {
	if _, err := os.Stat(rebuildMark(b.State)); err != nil {
		return
	}
	all, err := b.Lives(ctx)
	if err != nil {
		b.Log.Error("apps cannot be built again", "error", err)
		return
	}
	for _, live := range all {
		if image.Bootable(b.State, live) {
			continue
		}
		b.Log.Info("built again, because its image is not in the backup", "app", live.App, "commit", live.Commit)
		if err := b.Rebuild(ctx, core.Host(), live.App, io.Discard); err != nil {
			if ctx.Err() != nil {
				return // the next start goes on
			}
			b.Log.Error("an app cannot be built again", "app", live.App, "error", err)
			b.Trail.Note(ctx, live.App, core.Host().Name, "restore.failed", oneLine(err))
		}
	}
	if err := os.Remove(rebuildMark(b.State)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Log.Error("the mark of a restore stays", "error", err)
	}
}

package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// volumeTable is the table of the volumes.
type volumeTable struct{ db *database }

const selectVolumes = `SELECT id, app, name, mount, size, created FROM volumes `

// Volumes are those of app, or of all apps.
func (t volumeTable) Volumes(ctx context.Context, app string) ([]core.Volume, error) {
	if app == "" {
		return list(ctx, t.db.reader, "volumes", scanVolume, selectVolumes+`ORDER BY app, name`)
	}
	return list(ctx, t.db.reader, "volumes", scanVolume, selectVolumes+`WHERE app = ? ORDER BY name`, app)
}

// AddVolume stores v, if the app's other volumes leave room for it.
func (t volumeTable) AddVolume(ctx context.Context, v core.Volume) error {
	return t.db.change(ctx, fmt.Sprintf("add volume %q to app %q", v.Name, v.App), func(ctx context.Context, tx *sql.Tx) error {
		if _, err := scanApp(tx.QueryRowContext(ctx, selectApps+`WHERE name = ?`, v.App)); err != nil {
			return notFound(err)
		}
		others, err := list(ctx, tx, "volumes", scanVolume, selectVolumes+`WHERE app = ? ORDER BY name`, v.App)
		if err != nil {
			return err
		}
		if err := core.CheckVolume(v, others); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO volumes (id, app, name, mount, size, created) VALUES (?, ?, ?, ?, ?, ?)`,
			v.ID, v.App, v.Name, v.Mount, v.Size, instant{v.Created})
		return err
	})
}

// RemoveVolume forgets the volume with this id.
func (t volumeTable) RemoveVolume(ctx context.Context, id string) error {
	return t.db.change(ctx, fmt.Sprintf("remove volume %q", id), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM volumes WHERE id = ?`, id))
	})
}

func scanVolume(row scanner) (core.Volume, error) {
	var v core.Volume
	var created instant
	err := row.Scan(&v.ID, &v.App, &v.Name, &v.Mount, &v.Size, &created)
	v.Created = created.Time
	return v, err
}

package ledger

import (
	"context"
	"database/sql"
	"fmt"

	"gitd/internal/core"
)

const selectVolumes = `SELECT id, app, name, mount, size, created FROM volumes `

// Volumes are those of app, or of all apps.
func (l *Ledger) Volumes(ctx context.Context, app string) ([]core.Volume, error) {
	if app == "" {
		return list(ctx, l.reader, "volumes", scanVolume, selectVolumes+`ORDER BY app, name`)
	}
	return list(ctx, l.reader, "volumes", scanVolume, selectVolumes+`WHERE app = ? ORDER BY name`, app)
}

// AddVolume stores v, if the app's other volumes leave room for it.
func (l *Ledger) AddVolume(ctx context.Context, v core.Volume) error {
	return l.change(ctx, fmt.Sprintf("add volume %q to app %q", v.Name, v.App), func(ctx context.Context, tx *sql.Tx) error {
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
func (l *Ledger) RemoveVolume(ctx context.Context, id string) error {
	return l.change(ctx, fmt.Sprintf("remove volume %q", id), func(ctx context.Context, tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `DELETE FROM volumes WHERE id = ?`, id))
	})
}

func scanVolume(row scanner) (core.Volume, error) {
	var v core.Volume
	var created instant
	err := row.Scan(&v.ID, &v.App, &v.Name, &v.Mount, &v.Size, &created)
	v.Created = created.Time
	return v, err
}

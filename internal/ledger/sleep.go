package ledger

import (
	"context"
	"database/sql"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// sleepTable is the table of the sleep of apps. The key of each file that a machine was saved to is sealed.
type sleepTable struct {
	db     *database
	sealer seal.Sealer
}

// sealedBeds is the place that such keys are sealed for, beside the machine: no app has this name.
const sealedBeds = "@sleep"

// Sleeps are those of all apps for which there is anything to know. A key that does not open is left out: what it is
// for is of no use then, and nothing is lost with it.
func (t sleepTable) Sleeps(ctx context.Context) ([]core.Sleep, error) {
	return list(ctx, t.db.reader, "sleep", func(row scanner) (s core.Sleep, err error) {
		var after sql.NullInt64
		var sealed []byte
		if err = row.Scan(&s.App, &after, document[*core.Bed]{&s.Bed}, &sealed); err != nil {
			return s, err
		}
		if after.Valid {
			s.After = new(time.Duration(after.Int64) * time.Millisecond)
		}
		if s.Bed != nil {
			if key, err := t.sealer.Open(sealed, sealedBeds, s.Bed.Machine); err == nil {
				s.Bed.Key = []byte(key)
			}
		}
		return s, nil
	}, `SELECT app, after, bed, sealed FROM sleep ORDER BY app`)
}

// SetSleepAfter stores after which time app falls asleep; 0: never; nil: as the server says it.
func (t sleepTable) SetSleepAfter(ctx context.Context, app string, after *time.Duration) error {
	var millis *int64
	if after != nil {
		millis = new(after.Milliseconds())
	}
	return t.db.change(ctx, "set when "+app+" falls asleep", func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO sleep (app, after) SELECT name, ? FROM apps WHERE name = ?
			ON CONFLICT (app) DO UPDATE SET after = excluded.after`, millis, app))
	})
}

// SetBed stores that app sleeps; nil: it is awake.
func (t sleepTable) SetBed(ctx context.Context, app string, bed *core.Bed) (err error) {
	var sealed []byte
	if bed != nil {
		if sealed, err = t.sealer.Seal(string(bed.Key), sealedBeds, bed.Machine); err != nil {
			return err
		}
	}
	return t.db.change(ctx, "set how "+app+" sleeps", func(ctx context.Context, tx *sql.Tx) error {
		if bed == nil { // the app may be gone
			_, err := tx.ExecContext(ctx, `UPDATE sleep SET bed = 'null', sealed = NULL WHERE app = ?`, app)
			return err
		}
		return mustAffect(tx.ExecContext(ctx, `INSERT INTO sleep (app, bed, sealed) SELECT name, ?, ? FROM apps WHERE name = ?
			ON CONFLICT (app) DO UPDATE SET bed = excluded.bed, sealed = excluded.sealed`, document[*core.Bed]{&bed}, sealed, app))
	})
}

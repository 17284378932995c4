package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// baseTable is the tables of the updates of bases.
type baseTable struct{ db *database }

// keptUpdates is how many updates are remembered. Each has a move for each app, and collections read all of them.
const keptUpdates = 20

// baseAsked is the document of an update: what was asked for, and by whom. Of an actor it has what is needed to ask
// again whether they still may: see people.Service.Still.
type baseAsked struct {
	Wish        core.BaseWish `json:"wish"`
	Undo        int           `json:"undo,omitempty"`
	By          string        `json:"by"`
	Admin       bool          `json:"admin,omitempty"`
	Key         string        `json:"key,omitempty"`
	Certificate string        `json:"certificate,omitempty"`
}

func (a baseAsked) actor() core.Actor {
	by := core.Actor{Name: a.By, Admin: a.Admin, Key: a.Key, Certificate: a.Certificate}
	by.Grants = map[string]core.Role{}
	for _, app := range a.Wish.Apps {
		by.Grants[app] = core.RoleAdmin
	}
	return by
}

// AddBaseUpdate gives u an id and stores it with its moves. Updates that are long over are forgotten.
func (t baseTable) AddBaseUpdate(ctx context.Context, u core.BaseUpdate) (core.BaseUpdate, error) {
	asked := baseAsked{u.Wish, u.Undo, u.By.Name, u.By.Admin, u.By.Key, u.By.Certificate}
	err := t.db.change(ctx, "add an update of bases", func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `INSERT INTO base_updates (document, begun, ended) VALUES (?, ?, ?) RETURNING id`,
			document[baseAsked]{&asked}, instant{u.Begun}, instant{u.Ended}).Scan(&u.ID)
		if err != nil {
			return err
		}
		for _, m := range u.Moves {
			if err := saveMove(ctx, tx, u.ID, m); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM base_updates WHERE id <= ? AND ended IS NOT NULL`, u.ID-keptUpdates)
		return err
	})
	return u, err
}

// saveMove stores a move; an app that does not exist any more has none.
func saveMove(ctx context.Context, tx *sql.Tx, id int, m core.BaseMove) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO base_moves (update_id, app, document) SELECT ?, name, ? FROM apps WHERE name = ?
		ON CONFLICT (update_id, app) DO UPDATE SET document = excluded.document`, id, document[core.BaseMove]{&m}, m.App)
	return err
}

// SaveBaseMove stores what became of an app in an update, with its entry in the audit. The app may have another name by
// now, under which it is stored already, or be gone: then only the entry is.
func (t baseTable) SaveBaseMove(ctx context.Context, id int, m core.BaseMove, e core.Entry) error {
	return t.db.audited(ctx, "save the base of "+m.App, e, func(ctx context.Context, tx *sql.Tx) error {
		return saveMove(ctx, tx, id, m)
	})
}

// EndBaseUpdate stores that an update has ended, with its entry in the audit.
func (t baseTable) EndBaseUpdate(ctx context.Context, id int, at time.Time, e core.Entry) error {
	return t.db.audited(ctx, "end an update of bases", e, func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `UPDATE base_updates SET ended = ? WHERE id = ?`, instant{at}, id))
	})
}

// BaseUpdates are the newest first, each with its moves by app.
func (t baseTable) BaseUpdates(ctx context.Context) ([]core.BaseUpdate, error) {
	return t.updates(ctx, `ORDER BY id DESC`)
}

// BaseUpdate is one of them.
func (t baseTable) BaseUpdate(ctx context.Context, id int) (core.BaseUpdate, error) {
	all, err := t.updates(ctx, `WHERE id = ?`, id)
	if err != nil || len(all) == 0 {
		return core.BaseUpdate{}, cmp.Or(err, core.ErrNotFound)
	}
	return all[0], nil
}

func (t baseTable) updates(ctx context.Context, which string, args ...any) ([]core.BaseUpdate, error) {
	all, err := list(ctx, t.db.reader, "updates of bases", scanBaseUpdate, `SELECT id, document, begun, ended FROM base_updates `+which, args...)
	for i := range all {
		if err == nil {
			all[i].Moves, err = list(ctx, t.db.reader, "moves of bases", scanBaseMove,
				`SELECT app, document FROM base_moves WHERE update_id = ? ORDER BY app`, all[i].ID)
		}
	}
	return all, err
}

func scanBaseUpdate(row scanner) (u core.BaseUpdate, err error) {
	var asked baseAsked
	var begun, ended instant
	err = row.Scan(&u.ID, document[baseAsked]{&asked}, &begun, &ended)
	u.Wish, u.Undo, u.By, u.Begun, u.Ended = asked.Wish, asked.Undo, asked.actor(), begun.Time, ended.Time
	return u, err
}

func scanBaseMove(row scanner) (m core.BaseMove, err error) {
	var app string // it may have another name by now
	err = row.Scan(&app, document[core.BaseMove]{&m})
	m.App = app
	return m, err
}

// BaseSchedule is when bases are updated by themselves.
func (t baseTable) BaseSchedule(ctx context.Context) (s core.BaseSchedule, err error) {
	err = t.db.reader.QueryRowContext(ctx, `SELECT coalesce(max(text), ''), coalesce(max(zone), ''), coalesce(max(by), '')
		FROM base_schedule`).Scan(&s.Text, &s.Zone, &s.By) // one row or none
	return s, err
}

// SetBaseSchedule stores s, with its entry in the audit.
func (t baseTable) SetBaseSchedule(ctx context.Context, s core.BaseSchedule, e core.Entry) error {
	return t.db.audited(ctx, "set the schedule of bases", e, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO base_schedule (only, text, zone, by) VALUES (1, ?, ?, ?)
			ON CONFLICT DO UPDATE SET text = excluded.text, zone = excluded.zone, by = excluded.by`, s.Text, s.Zone, s.By)
		return err
	})
}

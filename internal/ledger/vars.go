package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"maps"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// varTable is the table of the config variables, whose values are sealed.
type varTable struct {
	db     *database
	sealer seal.Sealer
}

// Vars are the variables of app, opened.
func (t varTable) Vars(ctx context.Context, app string) (map[string]string, error) {
	if _, err := findApp(ctx, t.db.reader, app); err != nil {
		return nil, err
	}
	return t.read(ctx, t.db.reader, app, everyVar)
}

// BuildVars are those variables of app that builds see.
func (t varTable) BuildVars(ctx context.Context, app string) (map[string]string, error) {
	if _, err := findApp(ctx, t.db.reader, app); err != nil {
		return nil, err
	}
	return t.read(ctx, t.db.reader, app, buildVars)
}

// SetVars changes the variables of app, all or none. A variable that is set again keeps its mark for builds, unless c
// changes that.
func (t varTable) SetVars(ctx context.Context, app string, c core.VarChange) error {
	return t.db.change(ctx, fmt.Sprintf("set the config of app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		var known string
		if err := tx.QueryRowContext(ctx, `SELECT name FROM apps WHERE name = ?`, app).Scan(&known); err != nil {
			return notFound(err)
		}
		for _, name := range c.Unset {
			if _, err := tx.ExecContext(ctx, `DELETE FROM vars WHERE app = ? AND name = ?`, app, name); err != nil {
				return err
			}
		}
		// The limit is for all variables together.
		all, err := t.read(ctx, tx, app, everyVar)
		if err != nil {
			return err
		}
		maps.Copy(all, c.Set)
		if err := core.CheckVars(all); err != nil {
			return err
		}
		if err := t.write(ctx, tx, app, c.Set); err != nil {
			return err
		}
		for name, build := range c.Build {
			if _, err := tx.ExecContext(ctx, `UPDATE vars SET build = ? WHERE app = ? AND name = ?`, build, app, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// Which variables to read.
const (
	everyVar  = `SELECT name, sealed FROM vars WHERE app = ?`
	buildVars = everyVar + ` AND build = 1`
)

func (t varTable) read(ctx context.Context, db querier, app, query string) (map[string]string, error) {
	rows, err := list(ctx, db, "vars", scanVar, query, app)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{}
	for _, r := range rows {
		value, err := t.sealer.Open(r.sealed, app, r.name)
		if err != nil {
			return nil, fmt.Errorf("ledger: config variable %s of app %q: %w", r.name, app, err)
		}
		vars[r.name] = value
	}
	return vars, nil
}

func (t varTable) write(ctx context.Context, tx *sql.Tx, app string, set map[string]string) error {
	for name, value := range set {
		sealed, err := t.sealer.Seal(value, app, name)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO vars (app, name, sealed) VALUES (?, ?, ?)
			ON CONFLICT (app, name) DO UPDATE SET sealed = excluded.sealed`, app, name, sealed)
		if err != nil {
			return err
		}
	}
	return nil
}

// move seals the variables of an app for its new name, in the transaction that
// renames it. rename makes that change.
func (t varTable) move(ctx context.Context, tx *sql.Tx, from, to string, rename func() error) error {
	vars, err := t.read(ctx, tx, from, everyVar)
	if err != nil {
		return err
	}
	if err := rename(); err != nil {
		return err
	}
	return t.write(ctx, tx, to, vars)
}

type sealedVar struct {
	name   string
	sealed []byte
}

func scanVar(row scanner) (sealedVar, error) {
	var v sealedVar
	err := row.Scan(&v.name, &v.sealed)
	return v, err
}

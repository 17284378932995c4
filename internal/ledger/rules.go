package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// ruleTable is the table of what people have set for the front doors of apps.
type ruleTable struct{ db *database }

// Rules are those of app; none if nobody has set any.
func (t ruleTable) Rules(ctx context.Context, app string) (rules.Set, error) {
	return findRules(ctx, t.db.reader, app)
}

func findRules(ctx context.Context, q querier, app string) (s rules.Set, err error) {
	err = q.QueryRowContext(ctx, `SELECT say FROM rules WHERE app = ?`, app).Scan(document[rules.Set]{&s})
	if errors.Is(err, sql.ErrNoRows) {
		_, err = findApp(ctx, q, app)
	}
	return s, err
}

// AllRules are those of all apps that have some.
func (t ruleTable) AllRules(ctx context.Context) (map[string]rules.Set, error) {
	type row struct {
		app string
		set rules.Set
	}
	rows, err := list(ctx, t.db.reader, "rules", func(s scanner) (r row, err error) {
		err = s.Scan(&r.app, document[rules.Set]{&r.set})
		return r, err
	}, `SELECT app, say FROM rules`)
	all := map[string]rules.Set{}
	for _, r := range rows {
		all[r.app] = r.set
	}
	return all, err
}

// ChangeRules stores what change does to the rules of app. change runs inside the transaction, so it must not use the
// ledger. If it returns an error, nothing is changed.
func (t ruleTable) ChangeRules(ctx context.Context, app string, change func(s *rules.Set) error) error {
	return t.db.change(ctx, fmt.Sprintf("change the rules of app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		s, err := findRules(ctx, tx, app)
		if err != nil {
			return err
		}
		if err := change(&s); err != nil {
			return err
		}
		if s.Empty() {
			_, err := tx.ExecContext(ctx, `DELETE FROM rules WHERE app = ?`, app)
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO rules (app, say) VALUES (?, ?)
			ON CONFLICT (app) DO UPDATE SET say = excluded.say`, app, document[rules.Set]{&s})
		return err
	})
}

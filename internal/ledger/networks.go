package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// networkTable is the table of what apps may reach beside the public internet.
type networkTable struct{ db *database }

// Network is what was set for app, links included; zero when nothing was.
func (t networkTable) Network(ctx context.Context, app string) (core.Network, error) {
	return findNetwork(ctx, t.db.reader, app)
}

func findNetwork(ctx context.Context, q querier, app string) (core.Network, error) {
	var n core.Network
	err := q.QueryRowContext(ctx, `SELECT rules, rate FROM networks WHERE app = ?`, app).Scan(document[[]core.EgressRule]{&n.Rules}, &n.Rate)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = findApp(ctx, q, app)
	}
	if err != nil {
		return n, err
	}
	links, err := linksOf(ctx, q, app)
	n.Links = core.LinkEnds(links)
	return n, err
}

// ChangeNetwork stores what change does to what was set for app. change runs inside the transaction, so it must not use
// the ledger. If it returns an error, nothing is changed.
func (t networkTable) ChangeNetwork(ctx context.Context, app string, change func(n *core.Network) error) error {
	return t.db.change(ctx, fmt.Sprintf("change the network of app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		n, err := findNetwork(ctx, tx, app)
		if err != nil {
			return err
		}
		if err := change(&n); err != nil {
			return err
		}
		if len(n.Rules) == 0 && n.Rate == 0 {
			_, err := tx.ExecContext(ctx, `DELETE FROM networks WHERE app = ?`, app)
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO networks (app, rules, rate) VALUES (?, ?, ?)
			ON CONFLICT (app) DO UPDATE SET rules = excluded.rules, rate = excluded.rate`,
			app, document[[]core.EgressRule]{&n.Rules}, n.Rate)
		return err
	})
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/ledger/full"
)

// portTable is the table of the host's ports that lead to apps.
type portTable struct{ db *database }

const selectPorts = `SELECT host, app, port, by_range FROM host_ports `

func scanPort(row scanner) (p offer.HostPort, err error) {
	err = row.Scan(&p.Host, &p.App, &p.Port, &p.Range)
	return p, err
}

// HostPorts are those of app, or of all apps, by their numbers.
func (t portTable) HostPorts(ctx context.Context, app string) ([]offer.HostPort, error) {
	if app == "" {
		return list(ctx, t.db.reader, "ports", scanPort, selectPorts+`ORDER BY host`)
	}
	return list(ctx, t.db.reader, "ports", scanPort, selectPorts+`WHERE app = ? ORDER BY host`, app)
}

// TakePorts gives the host's ports to apps, all or none. One that another app has is refused with a *core.Rejection,
// which does not say whose it is. One that the app has already leads to the port that is asked for from now on; once
// given by an operator, it stays so.
func (t portTable) TakePorts(ctx context.Context, ports []offer.HostPort) error {
	return t.db.change(ctx, "take ports", func(ctx context.Context, tx *sql.Tx) error {
		for _, p := range ports {
			if _, err := findApp(ctx, tx, p.App); err != nil {
				return err
			}
			err := mustAffect(tx.ExecContext(ctx, `INSERT INTO host_ports (host, app, port, by_range) VALUES (?, ?, ?, ?)
				ON CONFLICT (host) DO UPDATE SET port = excluded.port, by_range = min(by_range, excluded.by_range)
				WHERE app = excluded.app`, p.Host, p.App, p.Port, p.Range))
			if errors.Is(err, core.ErrNotFound) {
				return core.Reject(fmt.Sprintf("port %d of this server is another app's", p.Host), "")
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// GivePort takes a port of the host from app. It returns core.ErrNotFound if app does not have it.
func (t portTable) GivePort(ctx context.Context, app string, host int) error {
	return t.db.change(ctx, fmt.Sprintf("take port %d from app %q", host, app), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM host_ports WHERE app = ? AND host = ?`, app, host))
	})
}

// Offer is what can be reached of app. An unknown app offers nothing.
func (t portTable) Offer(ctx context.Context, app string) (o offer.Offer, err error) {
	live := core.Release{}
	err = t.db.reader.QueryRowContext(ctx, `SELECT manifest FROM releases WHERE app = ? AND state = 'live'`, app).
		Scan(document[core.Manifest]{&live.Manifest})
	switch {
	case err == nil:
		o.Expose, o.Web = live.Manifest.Expose, live.Port()
	case !errors.Is(err, sql.ErrNoRows):
		return o, fmt.Errorf("ledger: what app %q offers: %w", app, full.Explain(err))
	}
	o.Hosts, err = t.HostPorts(ctx, app)
	return o, err
}

// linkTable is the table of the links between apps.
type linkTable struct{ db *database }

const selectLinks = `SELECT id, app, target, name, var, by, created FROM links `

func scanLink(row scanner) (l core.Link, err error) {
	var created instant
	err = row.Scan(&l.ID, &l.App, &l.Target, &l.Name, &l.Var, &l.By, &created)
	l.Created = created.Time
	return l, err
}

func linksOf(ctx context.Context, q querier, app string) ([]core.Link, error) {
	return list(ctx, q, "links", scanLink, selectLinks+`WHERE app = ? ORDER BY target`, app)
}

// Links are those of app to others, or those of all apps, by app and target.
func (t linkTable) Links(ctx context.Context, app string) ([]core.Link, error) {
	if app == "" {
		return list(ctx, t.db.reader, "links", scanLink, selectLinks+`ORDER BY app, target`)
	}
	return linksOf(ctx, t.db.reader, app)
}

// LinksTo are those of other apps to target.
func (t linkTable) LinksTo(ctx context.Context, target string) ([]core.Link, error) {
	return list(ctx, t.db.reader, "links", scanLink, selectLinks+`WHERE target = ? ORDER BY app`, target)
}

// Link finds a link by its number.
func (t linkTable) Link(ctx context.Context, id int64) (core.Link, error) {
	l, err := scanLink(t.db.reader.QueryRowContext(ctx, selectLinks+`WHERE id = ?`, id))
	return l, notFound(err)
}

// AddLink stores l under a number of its own, and returns it. One that there is already keeps its number, and the
// variable of l counts if it has one.
func (t linkTable) AddLink(ctx context.Context, l core.Link) (core.Link, error) {
	err := t.db.change(ctx, fmt.Sprintf("link app %q to %q", l.App, l.Target), func(ctx context.Context, tx *sql.Tx) error {
		for _, app := range []string{l.App, l.Target} {
			if _, err := findApp(ctx, tx, app); err != nil {
				return err
			}
		}
		var err error
		l, err = scanLink(tx.QueryRowContext(ctx, `INSERT INTO links (app, target, name, var, by, created) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (app, target) DO UPDATE SET var = CASE excluded.var WHEN '' THEN var ELSE excluded.var END
			RETURNING id, app, target, name, var, by, created`,
			l.App, l.Target, l.Target, l.Var, l.By, instant{l.Created}))
		return err
	})
	return l, err
}

// RemoveLink forgets the link from app to target. It returns core.ErrNotFound if there is none.
func (t linkTable) RemoveLink(ctx context.Context, app, target string) error {
	return t.db.change(ctx, fmt.Sprintf("remove the link of app %q to %q", app, target), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `DELETE FROM links WHERE app = ? AND target = ?`, app, target))
	})
}

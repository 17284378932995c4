package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Adopt takes in what an app's label says and the ledger does not know: the app with its settings if it is new, and
// its releases. If none of the ledger's releases is newer than the label's, what the label says is live is live. It
// reports whether something was taken in.
func (l *Ledger) Adopt(ctx context.Context, label core.AppLabel) (taken bool, err error) {
	app := label.App.Name
	err = l.change(ctx, fmt.Sprintf("adopt app %q", app), func(ctx context.Context, tx *sql.Tx) error {
		_, err := scanApp(tx.QueryRowContext(ctx, selectApps+`WHERE name = ?`, app))
		if errors.Is(err, sql.ErrNoRows) {
			taken, err = true, adoptApp(ctx, tx, label)
		}
		if err != nil {
			return err
		}
		var newest, live int
		err = tx.QueryRowContext(ctx, `SELECT coalesce(max(version), 0),
			coalesce(max(version) FILTER (WHERE state = 'live'), 0) FROM releases WHERE app = ?`, app).Scan(&newest, &live)
		if err != nil || newest > label.Newest() || newest == label.Newest() && live == label.Live() {
			return err
		}
		taken = true
		return adoptReleases(ctx, tx, label)
	})
	return taken, err
}

// adoptApp adds the app with its settings.
func adoptApp(ctx context.Context, tx *sql.Tx, label core.AppLabel) error {
	a := label.App
	_, err := tx.ExecContext(ctx, `INSERT INTO apps (name, branch, created, stopped, lock_by, lock_reason, lock_since,
		found_mib, scale, dir, only_tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.Name, a.Branch, a.Created.UnixNano(), a.Stopped, a.Lock.By, a.Lock.Reason, instant{a.Lock.Since}, max(a.FoundMiB, 0),
		document[core.Scale]{&a.Scale}, a.Dir, a.OnlyTags)
	if err == nil && label.Resources != (core.Resources{}) {
		_, err = tx.ExecContext(ctx, `INSERT INTO overrides (app, memory_mib, cpus) VALUES (?, ?, ?)`,
			a.Name, label.Resources.MemoryMiB, label.Resources.CPUs)
	}
	for _, host := range label.Domains {
		if err == nil { // another app may have it by now
			_, err = tx.ExecContext(ctx, `INSERT INTO domains (host, app) VALUES (?, ?) ON CONFLICT DO NOTHING`, host, a.Name)
		}
	}
	return err
}

// adoptReleases brings the releases of an app to where the label has them, and its machines.
func adoptReleases(ctx context.Context, tx *sql.Tx, label core.AppLabel) error {
	_, err := tx.ExecContext(ctx, `UPDATE releases SET state = 'retired' WHERE app = ? AND state IN ('live', 'draining')`,
		label.App.Name)
	if err != nil {
		return err
	}
	for _, r := range label.Releases {
		if r.State == core.Draining { // its machine is not looked for
			r.State = core.Retired
		}
		if err := adoptRelease(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, m := range label.Machines {
		_, err := tx.ExecContext(ctx, `INSERT INTO machines (id, app, release, process, addr, started)
			SELECT ?, app, version, ?, ?, ? FROM releases WHERE app = ? AND version = ? AND state = 'live' ON CONFLICT DO NOTHING`,
			m.ID, processText(m), m.Addr, instant{m.Started}, m.App, m.Release)
		if err != nil {
			return err
		}
	}
	return nil
}

func adoptRelease(ctx context.Context, tx *sql.Tx, r core.Release) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO releases (`+releaseColumns+`, pinned)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (app, version) DO UPDATE SET state = excluded.state, reason = excluded.reason,
		  manifest = excluded.manifest, steps = excluded.steps, finished = excluded.finished, pinned = excluded.pinned`,
		r.App, r.Version, r.Commit, r.Subject, r.Pusher, r.Key, r.Trigger, r.ImageOf, r.State, r.Reason,
		document[core.Manifest]{&r.Manifest}, document[[]core.Step]{&r.Steps},
		instant{r.Created}, instant{r.Finished}, r.Pinned)
	return err
}

package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gitd/internal/deploy"
)

const releaseColumns = `app, version, commit_id, subject, pusher, cause, state, reason, manifest, steps, created, finished`

const selectReleases = `SELECT ` + releaseColumns + ` FROM releases `

// errLive: only Promote may move a release into or out of Live.
var errLive = errors.New("only a promotion makes a release live or retires it")

// AddRelease gives r the app's next version and stores it.
func (l *Ledger) AddRelease(ctx context.Context, r deploy.Release) (deploy.Release, error) {
	err := l.change(ctx, fmt.Sprintf("add a release of app %q", r.App), func(ctx context.Context, tx *sql.Tx) error {
		if r.State == deploy.Live {
			return errLive
		}
		return notFound(tx.QueryRowContext(ctx, `INSERT INTO releases (`+releaseColumns+`)
			SELECT name, 1 + coalesce((SELECT max(version) FROM releases WHERE app = name), 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
			FROM apps WHERE name = ? RETURNING version`,
			r.Commit, r.Subject, r.Pusher, r.Trigger, r.State, r.Reason,
			document[deploy.Manifest]{&r.Manifest}, document[[]deploy.Step]{&r.Steps},
			instant{r.Created}, instant{r.Finished}, r.App).Scan(&r.Version))
	})
	if err != nil {
		return deploy.Release{}, err
	}
	return r, nil
}

// SaveRelease stores the changed fields of an existing release: its state
// (but see Promote), reason, image, steps and end. What it was made from does
// not change.
func (l *Ledger) SaveRelease(ctx context.Context, r deploy.Release) error {
	return l.change(ctx, "save "+name(r), func(ctx context.Context, tx *sql.Tx) error {
		was, err := scanRelease(tx.QueryRowContext(ctx, selectReleases+`WHERE app = ? AND version = ?`, r.App, r.Version))
		if err != nil {
			return notFound(err)
		}
		if (was.State == deploy.Live) != (r.State == deploy.Live) {
			return fmt.Errorf("from %s to %s: %w", was.State, r.State, errLive)
		}
		return update(ctx, tx, r)
	})
}

// Promote makes r the live release of its app and retires the one before, in
// one transaction: after a crash exactly one of the two is live.
func (l *Ledger) Promote(ctx context.Context, r deploy.Release) error {
	return l.change(ctx, "promote "+name(r), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE releases SET state = 'retired' WHERE app = ? AND state = 'live' AND version <> ?`,
			r.App, r.Version)
		if err != nil {
			return err
		}
		r.State = deploy.Live
		return update(ctx, tx, r)
	})
}

func update(ctx context.Context, tx *sql.Tx, r deploy.Release) error {
	return one(tx.ExecContext(ctx, `UPDATE releases SET state = ?, reason = ?, manifest = ?, steps = ?, finished = ?
		WHERE app = ? AND version = ?`,
		r.State, r.Reason, document[deploy.Manifest]{&r.Manifest}, document[[]deploy.Step]{&r.Steps},
		instant{r.Finished}, r.App, r.Version))
}

// Release finds one version of an app.
func (l *Ledger) Release(ctx context.Context, app string, version int) (deploy.Release, error) {
	r, err := scanRelease(l.reader.QueryRowContext(ctx, selectReleases+`WHERE app = ? AND version = ?`, app, version))
	if err != nil {
		return deploy.Release{}, fmt.Errorf("release v%d of app %q: %w", version, app, notFound(err))
	}
	return r, nil
}

// Releases are the newest first; limit 0 means all. An unknown app has none.
func (l *Ledger) Releases(ctx context.Context, app string, limit int) ([]deploy.Release, error) {
	return list(ctx, l.reader, "releases", scanRelease,
		selectReleases+`WHERE app = ? ORDER BY version DESC LIMIT ?`, app, noLimit(limit))
}

// Image finds the newest release of app that was built from commit and was
// live once.
func (l *Ledger) Image(ctx context.Context, app, commit string) (deploy.Release, error) {
	r, err := scanRelease(l.reader.QueryRowContext(ctx, selectReleases+
		`WHERE app = ? AND commit_id = ? AND state IN ('live', 'retired') ORDER BY version DESC LIMIT 1`, app, commit))
	if err != nil {
		return deploy.Release{}, fmt.Errorf("image of commit %.12q of app %q: %w", commit, app, notFound(err))
	}
	return r, nil
}

// Unfinished are the releases whose deployment was interrupted, by app and
// version.
func (l *Ledger) Unfinished(ctx context.Context) ([]deploy.Release, error) {
	return list(ctx, l.reader, "releases", scanRelease,
		selectReleases+`WHERE state IN ('building', 'booting') ORDER BY app, version`)
}

func scanRelease(row scanner) (deploy.Release, error) {
	var r deploy.Release
	var created, finished instant
	err := row.Scan(&r.App, &r.Version, &r.Commit, &r.Subject, &r.Pusher, &r.Trigger, &r.State, &r.Reason,
		document[deploy.Manifest]{&r.Manifest}, document[[]deploy.Step]{&r.Steps}, &created, &finished)
	r.Created, r.Finished = created.Time, finished.Time
	return r, err
}

func name(r deploy.Release) string { return fmt.Sprintf("release v%d of app %q", r.Version, r.App) }

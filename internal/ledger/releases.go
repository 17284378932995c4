package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// releaseTable is the table of the releases. It holds them to the life that
// core.State draws, and puts each step into the audit.
type releaseTable struct{ db *database }

const releaseColumns = `app, version, commit_id, subject, pusher, key, cause, image_of, state, reason, manifest, steps, created, finished`

const selectReleases = `SELECT ` + releaseColumns + `, pinned FROM releases `

// selectImages is what is asked of the images of a thousand apps: each further column takes time.
const selectImages = `SELECT app, version, commit_id, state, manifest, pinned FROM releases `

var (
	// errLive: only Promote may move a release into or out of Live.
	errLive = errors.New("only a promotion makes a release live or has it drain")
	// errStep: the state machine has no such step.
	errStep = errors.New("there is no such step in the life of a release")
)

// AddRelease gives r the app's next version and stores it.
func (t releaseTable) AddRelease(ctx context.Context, r core.Release) (core.Release, error) {
	err := t.db.change(ctx, fmt.Sprintf("add a release of app %q", r.App), func(ctx context.Context, tx *sql.Tx) error {
		if !r.State.Starts() {
			return fmt.Errorf("a new release that is %s: %w", r.State, errStep)
		}
		err := notFound(tx.QueryRowContext(ctx, `INSERT INTO releases (`+releaseColumns+`)
			SELECT name, 1 + coalesce((SELECT max(version) FROM releases WHERE app = name), 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
			FROM apps WHERE name = ? RETURNING version`,
			r.Commit, r.Subject, r.Pusher, r.Key, r.Trigger, r.ImageOf, r.State, r.Reason,
			document[core.Manifest]{&r.Manifest}, document[[]core.Step]{&r.Steps},
			instant{r.Created}, instant{r.Finished}, r.App).Scan(&r.Version))
		if err != nil {
			return err
		}
		return recordRelease(ctx, tx, r, r.Pusher, " by "+string(r.Trigger))
	})
	if err != nil {
		return core.Release{}, err
	}
	return r, nil
}

// SaveRelease stores the changed fields of an existing release: its state
// (but see Promote), reason, image, steps and end. What it was made from does
// not change.
func (t releaseTable) SaveRelease(ctx context.Context, r core.Release) error {
	return t.db.change(ctx, "save "+name(r), func(ctx context.Context, tx *sql.Tx) error {
		was, err := stateOf(ctx, tx, r)
		switch {
		case err != nil:
			return err
		case was != r.State && (was == core.Live || r.State == core.Live):
			return fmt.Errorf("from %s to %s: %w", was, r.State, errLive)
		case was != r.State && !was.CanBecome(r.State):
			return fmt.Errorf("from %s to %s: %w", was, r.State, errStep)
		}
		if err := update(ctx, tx, r); err != nil || was == r.State {
			return err
		}
		return recordStep(ctx, tx, r)
	})
}

func stateOf(ctx context.Context, tx *sql.Tx, r core.Release) (s core.State, err error) {
	err = tx.QueryRowContext(ctx, `SELECT state FROM releases WHERE app = ? AND version = ?`, r.App, r.Version).Scan(&s)
	return s, notFound(err)
}

// Promote makes r the live release of its app, has the one before drain and
// the app be no longer stopped, in one transaction: after a crash exactly one
// of the two is live.
func (t releaseTable) Promote(ctx context.Context, r core.Release) error {
	return t.db.change(ctx, "promote "+name(r), func(ctx context.Context, tx *sql.Tx) error {
		was, err := stateOf(ctx, tx, r)
		if err != nil {
			return err
		}
		if was != core.Live && !was.CanBecome(core.Live) {
			return fmt.Errorf("from %s to %s: %w", was, core.Live, errStep)
		}
		if err := drainLive(ctx, tx, r); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE apps SET stopped = 0 WHERE name = ?`, r.App); err != nil {
			return err
		}
		r.State = core.Live
		if err := update(ctx, tx, r); err != nil || was == core.Live {
			return err
		}
		return recordStep(ctx, tx, r)
	})
}

// drainLive has the live release drain, if it is another one than r.
func drainLive(ctx context.Context, tx *sql.Tx, r core.Release) error {
	old, err := scanRelease(tx.QueryRowContext(ctx, selectReleases+`WHERE app = ? AND state = 'live' AND version <> ?`, r.App, r.Version))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	old.State = core.Draining
	if err := update(ctx, tx, old); err != nil {
		return err
	}
	return recordStep(ctx, tx, old)
}

// recordStep adds a step to the audit, in the transaction that makes it. The
// steps that end a release are gitd's own: nobody asked for them.
func recordStep(ctx context.Context, tx *sql.Tx, r core.Release) error {
	actor, more := r.Pusher, ""
	if r.State == core.Draining || r.State == core.Retired {
		actor = "gitd"
	}
	if r.Reason != "" {
		more = ": " + r.Reason
	}
	return recordRelease(ctx, tx, r, actor, more)
}

func recordRelease(ctx context.Context, tx *sql.Tx, r core.Release, actor, more string) error {
	return record(ctx, tx, core.Entry{
		Time: time.Now(), App: r.App, Actor: actor, Action: "release." + string(r.State),
		Detail: fmt.Sprintf("v%d %.7s%s", r.Version, r.Commit, more),
	})
}

func update(ctx context.Context, tx *sql.Tx, r core.Release) error {
	return mustAffect(tx.ExecContext(ctx, `UPDATE releases SET state = ?, reason = ?, manifest = ?, steps = ?, finished = ?
		WHERE app = ? AND version = ?`,
		r.State, r.Reason, document[core.Manifest]{&r.Manifest}, document[[]core.Step]{&r.Steps},
		instant{r.Finished}, r.App, r.Version))
}

// Release finds one version of an app.
func (t releaseTable) Release(ctx context.Context, app string, version int) (core.Release, error) {
	r, err := scanRelease(t.db.reader.QueryRowContext(ctx, selectReleases+`WHERE app = ? AND version = ?`, app, version))
	if err != nil {
		return core.Release{}, fmt.Errorf("release v%d of app %q: %w", version, app, notFound(err))
	}
	return r, nil
}

// Releases are the newest first; limit 0 means all. An unknown app has none.
func (t releaseTable) Releases(ctx context.Context, app string, limit int) ([]core.Release, error) {
	return list(ctx, t.db.reader, "releases", scanRelease,
		selectReleases+`WHERE app = ? ORDER BY version DESC LIMIT ?`, app, noLimit(limit))
}

// Image finds the newest release of app that was built from commit and was
// live once.
func (t releaseTable) Image(ctx context.Context, app, commit string) (core.Release, error) {
	r, err := scanRelease(t.db.reader.QueryRowContext(ctx, selectReleases+
		`WHERE app = ? AND commit_id = ? AND state IN ('live', 'draining', 'retired') ORDER BY version DESC LIMIT 1`, app, commit))
	if err != nil {
		return core.Release{}, fmt.Errorf("image of commit %.12q of app %q: %w", commit, app, notFound(err))
	}
	return r, nil
}

// Lives are the live releases of all apps, by app.
func (t releaseTable) Lives(ctx context.Context) ([]core.Release, error) {
	return list(ctx, t.db.reader, "live releases", scanRelease, selectReleases+`WHERE state = 'live' ORDER BY app`)
}

// Images are the releases of all apps that have an image and have not failed,
// by app, the newest first, without those of ForgetImages, and without their
// steps, times and words of people. They come in the order of an index, which
// makes it as long as what is kept, and not as all releases: apps from z to a.
func (t releaseTable) Images(ctx context.Context) ([]core.Release, error) {
	all, err := list(ctx, t.db.reader, "images", scanImage,
		selectImages+`WHERE image_gone = 0 AND state NOT IN ('building', 'failed') ORDER BY app DESC, version DESC`)
	return slices.DeleteFunc(all, func(r core.Release) bool { return r.Manifest.Empty() }), err
}

// ForgetImages takes releases out of Images, but for those that are pinned or
// no longer retired: somebody was faster.
func (t releaseTable) ForgetImages(ctx context.Context, gone []core.Release) error {
	return t.db.change(ctx, "forget images", func(ctx context.Context, tx *sql.Tx) error {
		for _, r := range gone {
			if _, err := tx.ExecContext(ctx, `UPDATE releases SET image_gone = 1
				WHERE app = ? AND version = ? AND state = 'retired' AND pinned = 0`, r.App, r.Version); err != nil {
				return err
			}
		}
		return nil
	})
}

// PinRelease sets or ends Pinned. What is pinned has its image.
func (t releaseTable) PinRelease(ctx context.Context, app string, version int, pinned bool) error {
	return t.db.change(ctx, fmt.Sprintf("pin v%d of app %q", version, app), func(ctx context.Context, tx *sql.Tx) error {
		return mustAffect(tx.ExecContext(ctx, `UPDATE releases SET pinned = ?, image_gone = 0 WHERE app = ? AND version = ?`, pinned, app, version))
	})
}

// Unfinished are the releases that are on their way to another state, by app
// and version.
func (t releaseTable) Unfinished(ctx context.Context) ([]core.Release, error) {
	return list(ctx, t.db.reader, "releases", scanRelease,
		selectReleases+`WHERE state IN ('building', 'built', 'booting', 'healthy', 'draining') ORDER BY app, version`)
}

func scanRelease(row scanner) (core.Release, error) {
	var r core.Release
	var created, finished instant
	err := row.Scan(&r.App, &r.Version, &r.Commit, &r.Subject, &r.Pusher, &r.Key, &r.Trigger, &r.ImageOf, &r.State, &r.Reason,
		document[core.Manifest]{&r.Manifest}, document[[]core.Step]{&r.Steps}, &created, &finished, &r.Pinned)
	r.Created, r.Finished = created.Time, finished.Time
	return r, err
}

func scanImage(row scanner) (r core.Release, err error) {
	err = row.Scan(&r.App, &r.Version, &r.Commit, &r.State, document[core.Manifest]{&r.Manifest}, &r.Pinned)
	return r, err
}

func name(r core.Release) string { return fmt.Sprintf("release v%d of app %q", r.Version, r.App) }

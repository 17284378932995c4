package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// copyBefore copies the ledger before it is upgraded from a schema. Of the copies before upgrades, the newest are kept.
func (db *database) copyBefore(ctx context.Context, schema int64) (copies.Copy, error) {
	c := copies.BeforeAt(db.path, schema, time.Now())
	if err := copies.Make(ctx, db.writer, db.path, c); err != nil {
		return copies.Copy{}, err
	}
	return c, copies.PruneBefore(db.path)
}

// newer says who has written a ledger that this gitd does not know, and how to go on.
func newer(ctx context.Context, db *sql.DB, path string, have, want int64) error {
	by := "a newer gitd"
	var version string
	err := db.QueryRowContext(ctx, "SELECT version FROM gitds ORDER BY schema DESC, since DESC LIMIT 1").Scan(&version)
	if err == nil && version != "" {
		by = "gitd " + version
	}
	back := "put a copy from before the upgrade in its place"
	if all, err := copies.Before(path); err == nil {
		for _, c := range all {
			if c.Schema() <= want {
				back = fmt.Sprintf("go back to %s, which was made before that upgrade: what was changed since is lost: `gitd ledger:restore %s`",
					c.Path, c.Name())
				break
			}
		}
	}
	return fmt.Errorf("%w, %s: its schema is %d, and this gitd knows up to %d; install %s again, or %s", errNewer, by, have, want, by, back)
}

// Wrote notes the version of the gitd that uses this ledger from now on, for an older one that finds it.
func (db *database) Wrote(ctx context.Context, version string) error {
	return db.change(ctx, "note the version of gitd", func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO gitds (version, schema, since) VALUES (?, (SELECT max(version_id) FROM `+versionTable+`), ?)
			ON CONFLICT (version, schema) DO NOTHING`, version, time.Now().UnixNano())
		return err
	})
}

// Change is what an upgrade does to a ledger.
type Change struct{ From, To int64 }

// Rehearse upgrades a copy of the ledger at path, which another gitd may serve, and says what would be changed; nothing
// is, if From and To are equal. It leaves no copy. Without a ledger there is nothing to change.
func Rehearse(ctx context.Context, path string) (c Change, err error) {
	if there, err := Exists(path); err != nil || !there {
		return c, err
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"mode": {"ro"}, "_busy_timeout": {fmt.Sprint(lockWait.Milliseconds())}}.Encode()}
	live, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return c, err
	}
	defer live.Close()
	p, err := migrator(live)
	if err != nil {
		return c, err
	}
	if c.From, c.To, err = p.GetVersions(ctx); err != nil {
		return c, openError(path, err)
	}
	if c.From > c.To {
		return c, openError(path, newer(ctx, live, path, c.From, c.To))
	}
	if c.From == c.To {
		return c, nil
	}
	trial := copies.Copy{Path: filepath.Join(copies.Folder(path), "rehearsal.db"+copies.Unfinished), Time: time.Now()}
	defer func() {
		for _, part := range []string{"", "-wal", "-shm"} {
			err = errors.Join(err, copies.Remove(trial.Path+part))
		}
	}()
	if err := copies.Part(ctx, live, path, trial); err != nil {
		return c, err
	}
	return c, migrateCopy(ctx, trial.Path)
}

// migrateCopy upgrades a copy, and looks whether it is sound then.
func migrateCopy(ctx context.Context, path string) error {
	db, err := connect(path, 1, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := migrator(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("an upgrade of a copy of the ledger: %w", err)
	}
	return checkIntegrity(ctx, db)
}

// Revert puts back the copy that was made before the last upgrade of the ledger at path, if its schema is newer than
// this gitd's. No gitd may have it open. It reports whether there was anything to do.
func Revert(ctx context.Context, path string) (reverted bool, err error) {
	c, err := Rehearse(ctx, path)
	if !errors.Is(err, errNewer) {
		return false, err
	}
	all, err := copies.Before(path)
	if err != nil {
		return false, err
	}
	for _, b := range all {
		if b.Schema() == c.To {
			_, err := Restore(ctx, path, b)
			return err == nil, err
		}
	}
	return false, fmt.Errorf("%w: no copy of it from before the upgrade is there", errNewer)
}

// migrator is goose with our migrations.
func migrator(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

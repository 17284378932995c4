package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"modernc.org/sqlite"

	"github.com/nodeos-dev/gitd/internal/disk"
)

// Dated copies of the ledger stand in the folder "ledger" beside it. The key of the config values is not among them: a
// copy alone opens none.
const (
	copyFolder = "ledger"
	copyName   = "gitd-20060102T150405Z.db" // in UTC
	unfinished = ".new"                     // ends the name of a copy that is being made
)

// Of the copies, the newest stays, the first of each of the newest hours and the first of each of the newest days on
// which there are any. The first, and not the last: a copy that was made after something was lost must not take the
// place of the one before.
const (
	keptHours = 24
	keptDays  = 7
)

// keepFree is what a copy leaves of the disk, in bytes.
const keepFree = 256 << 20

// ErrNoCopy says that there is no sound copy of the ledger.
var ErrNoCopy = errors.New("there is no sound copy of the ledger")

// errRoom says that the disk is too full for a copy.
var errRoom = errors.New("the disk is nearly full")

// Copy is a dated copy of a ledger.
type Copy struct {
	Path string
	Time time.Time
}

// Copies are those of the ledger at path, the newest first.
func Copies(path string) ([]Copy, error) {
	dir := filepath.Join(filepath.Dir(path), copyFolder)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Copy
	for _, e := range entries {
		if t, err := time.Parse(copyName, e.Name()); err == nil {
			all = append(all, Copy{filepath.Join(dir, e.Name()), t})
		}
	}
	slices.SortFunc(all, func(a, b Copy) int { return b.Time.Compare(a.Time) })
	return all, nil
}

// NewestCopy is the newest copy of the ledger at path that is sound, or ErrNoCopy.
func NewestCopy(ctx context.Context, path string) (Copy, error) {
	all, err := Copies(path)
	if err != nil {
		return Copy{}, err
	}
	for _, c := range all {
		if err := c.check(ctx); err == nil {
			return c, nil
		}
	}
	return Copy{}, ErrNoCopy
}

// KeepCopy makes a dated copy, and removes older ones that are no longer needed. It reports whether there is a new one;
// why there is none is logged.
func (l *Ledger) KeepCopy(ctx context.Context, log *slog.Logger) bool {
	c, err := l.copy(ctx, time.Now())
	if err == nil {
		err = prune(l.path)
	}
	switch {
	case err == nil:
		log.Info("ledger copied", "file", c.Path)
	case ctx.Err() == nil:
		log.Warn("no copy of the ledger was made", "error", err)
	}
	return err == nil
}

// copy makes a copy that is whole, checked and on disk before it has its name.
func (l *Ledger) copy(ctx context.Context, now time.Time) (Copy, error) {
	dir := filepath.Join(filepath.Dir(l.path), copyFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Copy{}, err
	}
	if err := l.roomForCopy(dir); err != nil {
		return Copy{}, err
	}
	now = now.UTC().Truncate(time.Second)
	c := Copy{filepath.Join(dir, now.Format(copyName)), now}
	part := Copy{c.Path + unfinished, now}
	err := errors.Join(removeFile(part.Path), createFile(part.Path))
	if err == nil {
		err = l.backup(ctx, part.Path)
	}
	if err == nil {
		err = part.check(ctx)
	}
	if err == nil {
		err = os.Rename(part.Path, c.Path)
	}
	if err != nil {
		return Copy{}, errors.Join(fmt.Errorf("copy the ledger: %w", err), removeFile(part.Path))
	}
	return c, disk.SyncFolder(dir)
}

func (l *Ledger) roomForCopy(dir string) error {
	info, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	space, err := disk.SpaceOf(dir)
	if err == nil && space.Free < info.Size()+keepFree {
		return errRoom
	}
	return err
}

// backup writes one moment of the database to the empty file at path. It reads like any reader, so writers go on.
func (db *database) backup(ctx context.Context, path string) error {
	conn, err := db.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		from, ok := c.(interface {
			NewBackup(to string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("a connection of type %T makes no backups", c)
		}
		b, err := from.NewBackup((&url.URL{Scheme: "file", Path: path}).String())
		if err != nil {
			return err
		}
		_, err = b.Step(-1)
		return errors.Join(err, b.Finish())
	})
}

// check reads all of a copy, and says what is wrong with it. It changes nothing and makes no file beside it.
func (c Copy) check(ctx context.Context) error {
	q := url.Values{"mode": {"ro"}, "immutable": {"1"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: c.Path, RawQuery: q.Encode()}).String())
	if err != nil {
		return err
	}
	defer db.Close()
	var answer string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, answer)
	}
	var apps int
	return db.QueryRowContext(ctx, "SELECT count(*) FROM apps").Scan(&apps)
}

// prune removes the copies that are not kept, and what a gitd that was killed had begun.
func prune(path string) error {
	all, err := Copies(path)
	if err != nil {
		return err
	}
	begun, err := filepath.Glob(filepath.Join(filepath.Dir(path), copyFolder, "*"+unfinished))
	if err != nil {
		return err
	}
	for _, c := range dispensable(all) {
		begun = append(begun, c.Path)
	}
	for _, p := range begun {
		err = errors.Join(err, removeFile(p))
	}
	return err
}

// dispensable are those of all, the newest first, that need not be kept.
func dispensable(all []Copy) (rest []Copy) {
	kept := map[string]bool{}
	keepFirst := func(layout string, most int) {
		var period string
		n := 0
		for i, c := range all {
			if p := c.Time.Format(layout); p != period {
				period = p
				n++
			}
			last := i+1 == len(all) || all[i+1].Time.Format(layout) != period
			if n <= most && last {
				kept[c.Path] = true
			}
		}
	}
	keepFirst("20060102T15", keptHours)
	keepFirst("20060102", keptDays)
	for i, c := range all {
		if i > 0 && !kept[c.Path] {
			rest = append(rest, c)
		}
	}
	return rest
}

func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Name is how a person names the copy.
func (c Copy) Name() string { return strings.TrimSuffix(filepath.Base(c.Path), ".db") }

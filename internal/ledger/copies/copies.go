// Package copies is the files that are copies of the ledger.
//
// It owns their names, how one is made and looked at, and which are kept. It does not own when one is made, nor what is
// in the ledger.
package copies

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	Unfinished = ".new"                     // ends the name of a copy that is being made
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

// ErrNone says that there is no sound copy of the ledger.
var ErrNone = errors.New("there is no sound copy of the ledger")

// errRoom says that the disk is too full for a copy.
var errRoom = errors.New("the disk is nearly full")

// Copy is a dated copy of a ledger.
type Copy struct {
	Path string
	Time time.Time
}

// Dated are those of the ledger at path, the newest first.
func Dated(path string) ([]Copy, error) {
	dir := Folder(path)
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

// Newest is the newest copy of the ledger at path that is sound, or ErrNone.
func Newest(ctx context.Context, path string) (Copy, error) {
	all, err := Dated(path)
	if err != nil {
		return Copy{}, err
	}
	for _, c := range all {
		if err := c.Check(ctx); err == nil {
			return c, nil
		}
	}
	return Copy{}, ErrNone
}

// Make makes a copy that is whole, checked and on disk before it has its name.
func Make(ctx context.Context, from *sql.DB, path string, c Copy) error {
	part := Copy{c.Path + Unfinished, c.Time}
	err := Part(ctx, from, path, part)
	if err == nil {
		err = os.Rename(part.Path, c.Path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copy the ledger: %w", err), Remove(part.Path))
	}
	return disk.SyncFolder(filepath.Dir(c.Path))
}

// Part makes a copy in a file that has not its name yet.
func Part(ctx context.Context, from *sql.DB, path string, part Copy) error {
	dir := filepath.Dir(part.Path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := roomForCopy(path, dir); err != nil {
		return err
	}
	if err := errors.Join(Remove(part.Path), create(part.Path)); err != nil {
		return err
	}
	if err := Backup(ctx, from, part.Path); err != nil {
		return err
	}
	return part.Check(ctx)
}

func roomForCopy(path, dir string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	space, err := disk.SpaceOf(dir)
	if err == nil && space.Free < info.Size()+keepFree {
		return errRoom
	}
	return err
}

// Backup writes one moment of the database to the empty file at path. It reads like any reader, so writers go on.
func Backup(ctx context.Context, db *sql.DB, path string) error {
	conn, err := db.Conn(ctx)
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

// Check reads all of a copy, and says what is wrong with it. It changes nothing and makes no file beside it.
func (c Copy) Check(ctx context.Context) error {
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
		return fmt.Errorf("%w: %s", ErrDamaged, answer)
	}
	var apps int
	return db.QueryRowContext(ctx, "SELECT count(*) FROM apps").Scan(&apps)
}

// Prune removes the copies that are not kept, and what a gitd that was killed had begun.
func Prune(path string) error {
	all, err := Dated(path)
	if err != nil {
		return err
	}
	begun, err := filepath.Glob(filepath.Join(Folder(path), "*"+Unfinished))
	if err != nil {
		return err
	}
	for _, c := range dispensable(all) {
		begun = append(begun, c.Path)
	}
	for _, p := range begun {
		err = errors.Join(err, Remove(p))
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

func Remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Name is how a person names the copy.
func (c Copy) Name() string { return strings.TrimSuffix(filepath.Base(c.Path), ".db") }

// A ledger is copied before its schema changes, into the folder of the dated copies: before-SCHEMA-TIME.db, with the
// schema that it had.
const (
	upgradeCopy = "before-"
	upgradeTime = "20060102T150405Z" // in UTC
	keptUpgrade = 5                  // of these copies, the newest
)

// Before are the copies that were made before upgrades of the ledger at path, the newest first.
func Before(path string) ([]Copy, error) {
	dir := Folder(path)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Copy
	for _, e := range entries {
		if _, at, ok := schemaOf(e.Name()); ok {
			all = append(all, Copy{filepath.Join(dir, e.Name()), at})
		}
	}
	slices.SortFunc(all, func(a, b Copy) int { return b.Time.Compare(a.Time) })
	return all, nil
}

// schemaOf reads the name of a copy.
func schemaOf(name string) (schema int64, at time.Time, ok bool) {
	text, found := strings.CutPrefix(name, upgradeCopy)
	number, text, _ := strings.Cut(text, "-")
	schema, errNumber := strconv.ParseInt(number, 10, 64)
	at, errTime := time.Parse(upgradeTime+".db", text)
	return schema, at, found && errNumber == nil && errTime == nil
}

// Folder is where the copies of the ledger at path are.
func Folder(path string) string { return filepath.Join(filepath.Dir(path), copyFolder) }

// At is a dated copy of a time.
func At(path string, t time.Time) Copy {
	t = t.UTC().Truncate(time.Second)
	return Copy{filepath.Join(Folder(path), t.Format(copyName)), t}
}

// BeforeAt is a copy from before an upgrade from a schema.
func BeforeAt(path string, schema int64, t time.Time) Copy {
	t = t.UTC().Truncate(time.Second)
	return Copy{filepath.Join(Folder(path), fmt.Sprintf("%s%d-%s.db", upgradeCopy, schema, t.Format(upgradeTime))), t}
}

// Schema is that of a copy from before an upgrade.
func (c Copy) Schema() int64 {
	schema, _, _ := schemaOf(filepath.Base(c.Path))
	return schema
}

// PruneBefore removes all but the newest copies from before upgrades.
func PruneBefore(path string) error {
	all, err := Before(path)
	if err != nil {
		return err
	}
	for _, old := range all[min(len(all), keptUpgrade):] {
		err = errors.Join(err, Remove(old.Path))
	}
	return err
}

// ErrDamaged says that a database is not sound.
var ErrDamaged = errors.New("the check found damage")

// create makes an empty file that only this user can read.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// asideName is what a ledger is called that another one took the place of, in the folder of the copies.
const asideName = "aside-20060102T150405.000000000Z.db"

// Restore puts a copy in the place of the ledger at path, and what was there aside. No gitd may run.
func Restore(ctx context.Context, path string, c copies.Copy) (aside string, err error) {
	if err := c.Check(ctx); err != nil {
		return "", fmt.Errorf("the copy %s is not sound: %w", c.Path, err)
	}
	part := path + copies.Unfinished
	if err := copyFile(c.Path, part); err != nil {
		return "", errors.Join(err, copies.Remove(part))
	}
	if aside, err = PutAside(path); err != nil {
		return "", errors.Join(err, copies.Remove(part))
	}
	if err := os.Rename(part, path); err != nil {
		return "", err
	}
	return aside, disk.SyncFolder(filepath.Dir(path))
}

// PutAside moves the ledger at path, with its log, into the folder of the copies, and returns its name there; "" if
// there was none. The database goes first: a log that stays alone is moved by the next try.
func PutAside(path string) (aside string, err error) {
	dir := copies.Folder(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	to := filepath.Join(dir, time.Now().UTC().Format(asideName))
	for _, part := range []string{"", "-wal", "-shm"} {
		switch err := os.Rename(path+part, to+part); {
		case err == nil && part == "":
			aside = to
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return aside, fmt.Errorf("put the ledger aside: %w", err)
		}
	}
	return aside, errors.Join(disk.SyncFolder(dir), disk.SyncFolder(filepath.Dir(path)))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// IsDamaged reports whether Open has refused a ledger because it is not sound.
func IsDamaged(err error) bool { return errors.Is(err, errDamaged) }

// Exists reports whether there is a ledger at path that may know something: a file of any length.
func Exists(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Size() > 0, err
}

package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/nodeos-dev/gitd/internal/disk"
)

// createFile makes an empty database that only this user can read; SQLite
// gives its log the mode of the database. The mode does not depend on the
// umask.
//
// An existing file is never opened here: closing any descriptor of a file
// drops the POSIX locks that this process holds on it, SQLite's too.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return checkFile(path)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// checkFile refuses what is no plain file, and takes the permissions of others
// from a file that they can read.
func checkFile(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a plain file (%s); move it away", path, info.Mode().Type())
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(path, 0o600)
	default:
		return nil
	}
}

// openError says what to do about a ledger that does not open.
func openError(path string, err error) error {
	var s *sqlite.Error
	if errors.Is(err, errDamaged) || errors.As(err, &s) && isDamage(s.Code()) {
		if !errors.Is(err, errDamaged) {
			err = fmt.Errorf("%w: %w", errDamaged, err)
		}
		return fmt.Errorf("the ledger %s is damaged: %w; with gitd stopped, `gitd ledger:restore` puts back its newest "+
			"copy, and `gitd ledger:adopt` makes a ledger without people and config from what the folders of the apps "+
			"tell; both put this one aside", path, err)
	}
	return fmt.Errorf("ledger %s: %w", path, err)
}

// isDamage recognizes SQLite's codes for a file that is no sound database.
// The low byte is the primary code.
func isDamage(code int) bool {
	return code&0xff == lib.SQLITE_CORRUPT || code&0xff == lib.SQLITE_NOTADB
}

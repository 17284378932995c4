// Package file makes the file of a ledger, and keeps others from reading it. It does not own what is in it.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/disk"
)

// Create makes an empty database that only this user can read; SQLite
// gives its log the mode of the database. The mode does not depend on the
// umask.
//
// An existing file is never opened here: closing any descriptor of a file
// drops the POSIX locks that this process holds on it, SQLite's too.
func Create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return check(path)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// check refuses what is no plain file, and takes the permissions of others
// from a file that they can read.
func check(path string) error {
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

// Package full finds out whether a write to the ledger failed because the disk is full: SQLite seldom says so.
package full

import (
	"errors"
	"slices"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/nodeos-dev/gitd/internal/disk"
)

// meansFull are SQLite's codes of a write that found no room. SQLITE_FULL is that of a file of the database. The
// others are of the shared memory beside it, which a reader needs as well, and which is made and grown by plain writes:
// a full disk gives SQLITE_IOERR_SHMSIZE (4874).
var meansFull = []int{
	sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP,
}

// mayMeanFull are its codes of other failures on a disk, of which a full one is a cause: a file cannot be made, or what
// was written cannot be kept.
var mayMeanFull = []int{
	sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_FSYNC,
	sqlite3.SQLITE_IOERR_DIR_FSYNC,
}

// Explain adds the operating system's error to SQLite's where a full disk is
// the cause, so that the core can say what to do about it.
func Explain(err error) error {
	var s *sqlite.Error
	if errors.As(err, &s) && slices.Contains(meansFull, s.Code()) {
		return errors.Join(err, syscall.ENOSPC)
	}
	return err
}

// ExplainAt is Explain that also looks whether the disk of path is full, where the code does not tell.
func ExplainAt(path string, err error) error {
	var s *sqlite.Error
	if errors.As(err, &s) && slices.Contains(mayMeanFull, s.Code()) {
		return disk.ExplainBySpace(err, path)
	}
	return Explain(err)
}

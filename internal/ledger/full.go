package ledger

import (
	"errors"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// withErrno adds the operating system's error to SQLite's where a full disk is
// the cause, so that the core can say what to do about it.
func withErrno(err error) error {
	var s *sqlite.Error
	if !errors.As(err, &s) {
		return err
	}
	switch s.Code() {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
		return errors.Join(err, syscall.ENOSPC)
	}
	return err
}

package ledger

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

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

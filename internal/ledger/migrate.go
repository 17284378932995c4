package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// migrations are applied in order, each in a transaction of its own. One that
// was released is never edited: ledgers out there have it.
//
//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose notes what was applied.
const versionTable = "schema_versions"

var (
	errDamaged = copies.ErrDamaged
	errNewer   = errors.New("written by a newer gitd")
)

// checkIntegrity finds damage at the start, and not in the middle of a
// deployment. It reads the whole file, which takes milliseconds for thousands
// of releases.
func checkIntegrity(ctx context.Context, db *sql.DB) error {
	var answer string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, answer)
	}
	return nil
}

// migrate brings the schema up to this program's version. A ledger that has one is copied before.
func (db *database) migrate(ctx context.Context) error {
	p, err := migrator(db.writer)
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	switch {
	case have == want:
		return nil
	case have > want:
		return newer(ctx, db.writer, db.path, have, want)
	case have > 0:
		if db.Upgraded.Copy, err = db.copyBefore(ctx, have); err != nil {
			return fmt.Errorf("the copy before an upgrade from schema %d to %d: %w", have, want, err)
		}
		db.Upgraded.Change = Change{have, want}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("upgrade from schema %d to %d: %w", have, want, err)
	}
	return nil
}

package ledger

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrations are applied in order, each in a transaction of its own. One that
// was released is never edited: ledgers out there have it.
//
//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose notes what was applied.
const versionTable = "schema_versions"

var (
	errDamaged = errors.New("the check found damage")
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

// migrate brings the schema up to this program's version.
func migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("%w: its schema is %d, this gitd knows up to %d; start that gitd again, or restore the ledger from before the upgrade",
			errNewer, have, want)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("upgrade from schema %d to %d: %w", have, want, err)
	}
	return nil
}

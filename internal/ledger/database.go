package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/ledger/copies"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/nodeos-dev/gitd/internal/ledger/full"
	"github.com/nodeos-dev/gitd/internal/ledger/signal"
)

// maxReaders bounds the connections that read; each holds a page cache of its
// own.
const maxReaders = 4

// lockWait is how long a statement waits for another process that holds the
// database, for example an administrator's sqlite3.
const lockWait = 5 * time.Second

// database is the handle that all tables share.
type database struct {
	// SQLite has one writer at a time. One connection here makes our writers
	// queue in Go, where a context ends the wait, and not in SQLite's
	// sleep-and-retry.
	writer *sql.DB
	reader *sql.DB

	path    string
	changes atomic.Int64  // how many there were
	changed chan struct{} // has a token when the log may hold something
	next    signal.Signal

	// Upgraded is what was done to the schema when the ledger was opened, and the copy from before; zero: nothing.
	Upgraded struct {
		Change
		Copy copies.Copy
	}
}

func (db *database) open(ctx context.Context, path string) error {
	db.path, db.changed = path, make(chan struct{}, 1)
	var err error
	if db.writer, err = connect(path, 1, nil); err != nil {
		return err
	}
	if err := checkIntegrity(ctx, db.writer); err != nil {
		return err
	}
	if err := db.migrate(ctx); err != nil {
		return err
	}
	db.reader, err = connect(path, maxReaders, url.Values{"_query_only": {"1"}})
	return err
}

// connect makes a pool of at most conns connections. They live as long as the
// pool, so that SQLite's caches and the shared memory of the log do too.
func connect(path string, conns int, more url.Values) (*sql.DB, error) {
	q := url.Values{
		"_busy_timeout": {fmt.Sprint(lockWait.Milliseconds())},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // with WAL, NORMAL may lose the last commits in a power cut
		"_foreign_keys": {"1"},
		"_defensive":    {"1"},
		"_txlock":       {"immediate"},
	}
	maps.Copy(q, more)
	// A URL, so that no byte of the path can become a parameter.
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// Close waits for running methods. The last handle on a ledger folds the log
// back into the database.
func (db *database) Close() error {
	var errs []error
	for _, pool := range []*sql.DB{db.reader, db.writer} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// change runs f in one transaction. ctx ends the wait for other writers and
// no more: a transaction takes milliseconds, and one that is interrupted at
// its commit would leave the caller not knowing whether it happened.
func (db *database) change(ctx context.Context, what string, f func(ctx context.Context, tx *sql.Tx) error) error {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("ledger: %s: %w", what, full.Explain(err))
	}
	defer conn.Close()
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("ledger: %s: %w", what, full.Explain(err))
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := f(ctx, tx); err != nil {
		return fmt.Errorf("ledger: %s: %w", what, full.Explain(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("ledger: %s: %w", what, full.Explain(err))
	}
	db.touch()
	db.next.Send()
	return nil
}

// NextChange is closed after the next change that is made by this process. Whoever takes it, reads, and then waits for
// it misses none.
func (db *database) NextChange() <-chan struct{} { return db.next.Wait() }

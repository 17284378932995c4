// Package ledger is gitd's durable truth: one SQLite database with the apps,
// their releases, machines and settings, the people with their keys and
// roles, and the audit. It implements deploy.Ledger, people.Store and
// deploy.Settings. Config values are sealed with a key in a file beside the
// database, so that a copy of the database alone reveals none.
//
// It owns the schema, its migrations, and the promise that a change is on
// disk when the method that made it returns. It does not own what a change
// means: the core decides which state a release is in.
package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"gitd/internal/people"
)

// maxReaders bounds the connections that read; each holds a page cache of its
// own.
const maxReaders = 4

// lockWait is how long a statement waits for another process that holds the
// database, for example an administrator's sqlite3.
const lockWait = 5 * time.Second

// Ledger is an open ledger. Its methods are safe for concurrent use.
type Ledger struct {
	// SQLite has one writer at a time. One connection here makes our writers
	// queue in Go, where a context ends the wait, and not in SQLite's
	// sleep-and-retry.
	writer *sql.DB
	reader *sql.DB
	sealer sealer
}

var _ people.Store = (*Ledger)(nil)

// Open opens the ledger at path, or makes a new one that only this user can
// read, and brings its schema up to date. It refuses a damaged ledger, and
// one that a newer gitd has written.
func Open(ctx context.Context, path string) (*Ledger, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{}
	if err := l.open(ctx, path); err != nil {
		return nil, errors.Join(explain(path, err), l.Close())
	}
	return l, nil
}

func (l *Ledger) open(ctx context.Context, path string) error {
	var err error
	if l.writer, err = connect(path, 1, nil); err != nil {
		return err
	}
	if err := check(ctx, l.writer); err != nil {
		return err
	}
	if err := migrate(ctx, l.writer); err != nil {
		return err
	}
	if l.reader, err = connect(path, maxReaders, url.Values{"_query_only": {"1"}}); err != nil {
		return err
	}
	return l.openSealer(ctx, path+".key")
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
	for k, v := range more {
		q[k] = v
	}
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
func (l *Ledger) Close() error {
	var errs []error
	for _, db := range []*sql.DB{l.reader, l.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// change runs f in one transaction. ctx ends the wait for other writers and
// no more: a transaction takes milliseconds, and one that is interrupted at
// its commit would leave the caller not knowing whether it happened.
func (l *Ledger) change(ctx context.Context, what string, f func(ctx context.Context, tx *sql.Tx) error) error {
	conn, err := l.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("ledger: %s: %w", what, err)
	}
	defer conn.Close()
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("ledger: %s: %w", what, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := f(ctx, tx); err != nil {
		return fmt.Errorf("ledger: %s: %w", what, named(err))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("ledger: %s: %w", what, named(err))
	}
	return nil
}

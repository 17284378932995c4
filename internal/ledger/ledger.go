// Package ledger is gitd's durable truth: one SQLite database with the apps, their releases, machines, settings and
// volumes, the people with their keys and roles, and the audit. Config values are sealed with a key in a file beside
// the database, so that a copy of the database alone reveals none.
//
// It owns the schema, its migrations, and the promise that a change is on disk when the method that made it returns.
// It does not own what a change means: package core says which step a release may make, package people who may change
// whose rights.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/ledger/file"
	"github.com/nodeos-dev/gitd/internal/ledger/full"
	"github.com/nodeos-dev/gitd/internal/people"
)

// Ledger is an open ledger: all its tables over one database. Its methods are
// safe for concurrent use, and each is one transaction. Look-ups of what is
// not there return core.ErrNotFound.
type Ledger struct {
	*database
	appTable
	releaseTable
	machineTable
	varTable
	resourceTable
	quotaTable
	domainTable
	certificateTable
	networkTable
	ruleTable
	portTable
	linkTable
	volumeTable
	drainTable
	webhookTable
	userTable
	keyTable
	invitationTable
	toolTable
	baseTable
	entryTable
	backupTable
	sleepTable
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
	if err := file.Create(path); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	db := &database{}
	l, err := open(ctx, db, path)
	if err != nil {
		return nil, errors.Join(openError(path, full.ExplainAt(path, err)), db.Close())
	}
	return l, nil
}

func open(ctx context.Context, db *database, path string) (*Ledger, error) {
	if err := db.open(ctx, path); err != nil {
		return nil, err
	}
	sealer, err := openSealer(ctx, db.reader, path+".key")
	if err != nil {
		return nil, err
	}
	vars := varTable{db, sealer}
	return &Ledger{
		database: db, appTable: appTable{db, vars}, releaseTable: releaseTable{db}, machineTable: machineTable{db},
		varTable: vars, resourceTable: resourceTable{db}, quotaTable: quotaTable{db}, domainTable: domainTable{db}, certificateTable: certificateTable{db, sealer},
		networkTable: networkTable{db}, portTable: portTable{db}, linkTable: linkTable{db}, ruleTable: ruleTable{db}, volumeTable: volumeTable{db},
		drainTable: drainTable{db, sealer}, webhookTable: webhookTable{db, sealer},
		userTable: userTable{db}, keyTable: keyTable{db}, invitationTable: invitationTable{db}, toolTable: toolTable{db}, baseTable: baseTable{db}, entryTable: entryTable{db},
		backupTable: backupTable{db}, sleepTable: sleepTable{db, sealer},
	}, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	copying "github.com/nodeos-dev/gitd/internal/backup"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/ledger/copies"
)

// openLedger opens the ledger, unless it has lost what the folders know: without it gitd would stop machines, remove
// images and invite a stranger as the first person. It runs before anything of the sort, and makes no new ledger then.
func openLedger(ctx context.Context, state core.StateDir) (*ledger.Ledger, error) {
	there, err := ledger.Exists(state.Ledger())
	if err != nil {
		return nil, err
	}
	if !there { // SQLite would remove a log that is left beside it
		if err := copying.Unfinished(state); err != nil {
			return nil, err
		}
		h, err := label.Look(state)
		if err != nil {
			return nil, err
		}
		if h.Any() {
			return nil, lost(ctx, state, adoptAll, fmt.Sprintf("the ledger %s is missing or empty, but the folders beside it hold %s", state.Ledger(), h))
		}
	}
	l, err := ledger.Open(ctx, state.Ledger())
	if err != nil {
		return nil, err
	}
	missing, err := label.Missing(ctx, state, l)
	if err == nil && len(missing) > 0 {
		err = lost(ctx, state, adoptMore, fmt.Sprintf("the ledger %s has lost what the folders beside it know: %s", state.Ledger(), some(missing)))
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// some are the first of a list.
func some(list []string) string {
	const most = 5
	if len(list) > most {
		list = append(list[:most:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(list, ", ")
}

// What ledger:adopt does, for a person who may type it.
const (
	adoptAll  = "a new ledger: apps, releases and volumes as the folders tell, without people and config values"
	adoptMore = "what the ledger knows, and what the folders tell"
)

// lost says what to do about a ledger that knows less than the folders.
func lost(ctx context.Context, state core.StateDir, adopt, what string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nnothing was started, stopped or removed, and nobody can log in; type one of these lines:\n", what)
	lines := []string{fmt.Sprintf("  gitd ledger:adopt --state %s     # %s\n", state, adopt)}
	if c, err := copies.Newest(ctx, state.Ledger()); err == nil {
		lines = append(lines, fmt.Sprintf("  gitd ledger:restore --state %s   # the copy of %s, and what the folders know since then\n",
			state, c.Time.Format("2006-01-02 15:04:05 MST")))
	}
	if adopt == adoptAll { // a copy knows people and config as well
		slices.Reverse(lines)
	}
	b.WriteString(strings.Join(lines, ""))
	fmt.Fprintf(&b, "to begin anew, give gitd an empty state folder: --state ELSEWHERE, or move all that is in %s away", state)
	return errors.New(b.String())
}

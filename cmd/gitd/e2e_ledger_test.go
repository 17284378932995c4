package main

import (
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdFolded returns when all that was changed so far stands in gitd.db itself, and not in the log beside it: it makes a
// change, and waits for a fold that comes after its own begin.
func cmdFolded(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		ts.Fatalf("unsupported: ! folded")
	}
	d := daemonOf(ts)
	d.mu.Lock()
	seen := len(d.lines)
	d.mu.Unlock()
	ts.Check(ts.Exec("gitd", "users:add", "folded"))
	limit := time.After(eventLimit)
	for {
		folded, more := d.foldedSince(seen)
		if folded {
			return
		}
		select {
		case <-more:
		case <-limit:
			ts.Fatalf("the ledger is not folded within %s:\n%s", eventLimit, d.log())
		}
	}
}

// foldedSince looks for a fold in the log's lines from the one with this number on, and returns a channel for the next
// line.
func (d *testDaemon) foldedSince(first int) (bool, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(d.lines[first:], func(l string) bool {
		return strings.Contains(l, `"message":"ledger folded"`)
	}), d.more
}

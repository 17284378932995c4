package coretest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/oneoff"
)

// mute is a ledger whose audit takes no entry.
type mute struct{ *ledger.Ledger }

func (mute) Record(context.Context, core.Entry) error { return errors.New("database or disk is full") }

// TestNoSecretWithoutItsEntry: an insider who first fills the disk reads the config, or runs a command that prints it,
// without a trace: once the entry was only missing from the audit. Neither is shown.
func TestNoSecretWithoutItsEntry(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	ctx, by := t.Context(), core.Actor{Name: "eve"}
	if err := w.ledger.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"TOKEN": "s3cret"}}); err != nil {
		t.Fatal(err)
	}
	w.openWith(func(c *engine.Config) { c.Ledger = mute{w.ledger} })
	if vars, err := w.core.ReadConfig(ctx, by, "shop", ""); len(vars) > 0 || err == nil || !strings.Contains(err.Error(), "nothing was shown") {
		t.Errorf("%v, %v", vars, err)
	}
	boots := w.driver.count()
	_, err := w.core.OneOffs.Run(ctx, by, oneoff.Wish{App: "shop", Words: []string{"node", "-p", "process.env"}, Tell: func(string) {}})
	if err == nil || !strings.Contains(err.Error(), "nothing was run") {
		t.Errorf("%v", err)
	}
	if n := w.driver.count(); n != boots {
		t.Errorf("%d machines run, %d before", n, boots)
	}
}

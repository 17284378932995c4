package coretest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// TestWaitForAnOldMachine: the machine of a release without a volume still drained when the next release, with a
// volume, had to stop what runs. The pusher was not told of that wait, and nothing could end it.
func TestWaitForAnOldMachine(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	drained := make(chan struct{})
	w.router.mu.Lock()
	w.router.drain = func(ctx context.Context) { <-drained }
	w.router.mu.Unlock()
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	w.createVolume("data", "/data")
	p := w.beginMain(commit(2), commit(3))
	p.says("-----> Waiting for the machine before it to end its requests and stop")
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("meanwhile v%d answers %q", v, answer)
	}
	close(drained)
	if reject, out := p.end(); reject != "" {
		t.Errorf("%s\n%s", reject, out)
	}
}

// TestCloseEndsTheWaitForAnOldMachine: a gitd that was told to stop used to wait for that machine too.
func TestCloseEndsTheWaitForAnOldMachine(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.router.mu.Lock()
	w.router.drain = func(ctx context.Context) { <-ctx.Done() }
	w.router.mu.Unlock()
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	w.createVolume("data", "/data")
	p := w.beginMain(commit(2), commit(3))
	p.says("Waiting for the machine before it")
	go w.core.Close()
	if reject, _ := p.end(); !strings.Contains(reject, "gitd is stopping") {
		t.Errorf("rejected %q", reject)
	}
}

// tightLedger is a ledger whose disk can be full. It then returns the errors of the real one.
type tightLedger struct {
	*ledger.Ledger
	full bool
}

func (l *tightLedger) err() error {
	if !l.full {
		return nil
	}
	return fmt.Errorf("change the ledger: %w", &os.PathError{Op: "write", Path: "gitd.db", Err: syscall.ENOSPC})
}

func (l *tightLedger) AddRelease(ctx context.Context, r core.Release) (core.Release, error) {
	if err := l.err(); err != nil {
		return r, err
	}
	return l.Ledger.AddRelease(ctx, r)
}

func (l *tightLedger) SetVars(ctx context.Context, app string, c core.VarChange) error {
	if err := l.err(); err != nil {
		return err
	}
	return l.Ledger.SetVars(ctx, app, c)
}

func (l *tightLedger) FoundApp(ctx context.Context, app, user string, most int64) (bool, error) {
	if err := l.err(); err != nil {
		return false, err
	}
	return l.Ledger.FoundApp(ctx, app, user, most)
}

// TestFullDiskInOperations: only pushes used to say what to do about a full disk. A rollback, a change of config and
// the making of an app printed the raw error.
func TestFullDiskInOperations(t *testing.T) {
	w := newWorld(t)
	w.pushes(2)
	w.close()
	tight := &tightLedger{}
	w.openWith(func(c *engine.Config) { tight.Ledger = w.ledger; c.Ledger = tight })
	w.eventually("it is adopted", func() bool { return w.core.Serving("shop") })
	tight.full = true
	for what, do := range map[string]func() error{
		"rollback": func() error { return w.core.Rollback(t.Context(), ada, "shop", 0, nil) },
		"config": func() error {
			return w.core.SetConfig(t.Context(), ada, "shop", apps.ConfigChange{Set: map[string]string{"A": "1"}}, nil)
		},
		"config, only stored": func() error {
			return w.core.SetConfig(t.Context(), ada, "shop", apps.ConfigChange{Set: map[string]string{"A": "1"}, NoRestart: true}, nil)
		},
		"create": func() error { return w.core.CreateApp(t.Context(), ada, "blog") },
	} {
		var rej *core.Rejection
		if err := do(); !errors.As(err, &rej) || rej.Reason != "the server's disk is full" || !strings.Contains(rej.Hint, "gitd du") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestFullDiskInTheLedger: the reason that the ledger keeps of a failed release used to be the raw error too.
func TestFullDiskInTheLedger(t *testing.T) {
	w := newWorld(t)
	w.pushes(1)
	w.driver.bootErr = fmt.Errorf("define the domain: %w", &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC})
	if reject, _ := w.push(commit(1), commit(2)); reject != "the server's disk is full" {
		t.Errorf("rejected %q", reject)
	}
	w.wants(map[int]core.State{1: core.Live, 2: core.Failed})
	r, err := w.ledger.Release(t.Context(), "shop", 2)
	if err != nil || r.Reason != "the server's disk is full" {
		t.Errorf("the ledger says %q, %v", r.Reason, err)
	}
}

package fleet

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
)

// oneApp is a ledger with one app that is live.
type oneApp struct{ Ledger }

func (oneApp) App(context.Context, string) (core.App, error) {
	return core.App{Name: "shop", Live: 1}, nil
}

func (oneApp) Release(context.Context, string, int) (core.Release, error) {
	return core.Release{App: "shop", Version: 1, State: core.Live, Manifest: core.Manifest{Base: "b", App: core.Layer{Digest: "d"}}}, nil
}
func (oneApp) Vars(context.Context, string) (map[string]string, error) { return nil, nil }
func (oneApp) Resources(context.Context, string) (core.Resources, error) {
	return core.Resources{}, nil
}
func (oneApp) Volumes(context.Context, string) ([]core.Volume, error) { return nil, nil }
func (oneApp) Network(context.Context, string) (core.Network, error)  { return core.Network{}, nil }
func (oneApp) Record(context.Context, core.Entry) error               { return nil }
func (oneApp) DeleteMachine(context.Context, string) error            { return nil }

// noRoom is a driver that boots nothing and counts how often it was asked to boot.
type noRoom struct {
	Driver
	asked atomic.Int32
}

func (d *noRoom) Boot(context.Context, core.MachineSpec, core.Watch) (core.Machine, error) {
	d.asked.Add(1)
	return core.Machine{}, errors.New("no host has room")
}

type roomy struct{ Places }

func (roomy) Keep(string, core.ProcessID) {}
func (roomy) Give(string, core.ProcessID) {}

type noDoor struct{ Router }

func (noDoor) Down(string, string) func(context.Context) { return func(context.Context) {} }
func (noDoor) Remove(string)                             {}

// TestForgottenAppIsNotRevived: a revival that slept between two tries woke up after its app had been destroyed, found
// the next app of that name, and booted a second machine of it.
func TestForgottenAppIsNotRevived(t *testing.T) {
	state := core.StateDir(t.TempDir())
	for _, path := range []string{state.Kernel("b"), state.Root("b"), state.Layer("d")} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		work, driver, log := background.New(), &noRoom{}, slog.New(slog.DiscardHandler)
		defer work.Close()
		f := New(Config{
			State: state, Ledger: oneApp{}, Driver: driver, Places: roomy{}, Router: noDoor{}, Work: work, Log: log,
			Trail: audit.New(oneApp{}, log),
		})
		f.keeper("shop").posts.of(core.FirstWeb).revive(0)
		time.Sleep(10 * time.Minute)
		if driver.asked.Load() < 5 {
			t.Fatalf("the revival has tried %d times", driver.asked.Load())
		}
		f.Forget("shop")
		before := driver.asked.Load()
		time.Sleep(10 * time.Minute)
		if after := driver.asked.Load(); after != before {
			t.Errorf("a destroyed app was booted %d times", after-before)
		}
	})
}

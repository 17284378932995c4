// Package fleet is what runs: which machine serves each app, and what happens when a machine ends.
//
// It owns the machines from their boot to their stop, the health of a candidate, the traffic that goes to them, their
// replacement when they are lost, and what is known about the condition of each app. It does not own which release is
// live (packages deploy and ledger), how a machine runs (Driver) or how requests reach it (Router).
package fleet

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/sleepers"
	"github.com/nodeos-dev/gitd/internal/fleet/turns"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Config is what a Fleet works with. Every field is required unless it says something else.
type Config struct {
	State    core.StateDir
	Ledger   Ledger
	Driver   Driver // which asks Places before each boot
	Places   Places
	Warm     Warm // nil: no machine is kept
	Router   Router
	Sleepers sleepers.Sleepers // nil: no app sleeps
	Output   Output
	Trail    *audit.Trail
	Work     *background.Work
	Log      *slog.Logger

	Observe func(core.Transition)                 // called at each moment of a machine; nil: nothing is called
	Label   func(ctx context.Context, app string) // writes what the ledger knows of app into its folders

	Host     func(app string) string // the name an app is served under
	Defaults core.Resources          // for releases that ask for none
	Egress   core.Egress             // of every app
	Capacity core.Resources          // of the host that machines run on; zero fields are not known
	Limits   Limits
}

// Limits are how long a machine has for each part of its life.
type Limits struct {
	Boot time.Duration // to boot, and again for its app to answer
	// Steady is how long a worker must run without an end to be healthy, and longer where machines boot slowly; 0: five
	// seconds.
	Steady time.Duration
	Drain  time.Duration // for the requests that still run when it has been replaced
	Hold   time.Duration // for requests that wait while an app that cannot run twice is replaced
	Grace  time.Duration // between SIGTERM and SIGKILL
}

// Fleet is all machines that run. It alone starts and stops them. Its methods are safe for concurrent use.
type Fleet struct {
	cfg    Config
	booter booter
	boots  chan struct{} // has a token for each machine that is being revived

	mu      sync.Mutex
	keepers map[string]*keeper // by app
}

// New makes a Fleet that knows of no machine yet: see Reconcile.
func New(cfg Config) *Fleet {
	if cfg.Observe == nil {
		cfg.Observe = func(core.Transition) {}
	}
	if cfg.Sleepers == nil {
		cfg.Sleepers = sleepers.None{}
	}
	if cfg.Limits.Steady == 0 {
		cfg.Limits.Steady = 5 * time.Second
	}
	if cfg.Warm == nil {
		cfg.Warm = cold{}
	}
	return &Fleet{
		cfg: cfg, booter: booter{cfg}, boots: make(chan struct{}, runtime.NumCPU()), keepers: map[string]*keeper{},
	}
}

// keeper finds or makes the keeper of app.
func (f *Fleet) keeper(app string) *keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	k, ok := f.keepers[app]
	if !ok {
		k = &keeper{f: f, app: app, stage: turns.NewStage(), since: time.Now()}
		k.posts.k = k
		f.keepers[app] = k
	}
	return k
}

func (f *Fleet) allKeepers() []*keeper {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.keepers))
}

// Stage waits until the caller alone may change which machine serves app. If a revival is at work, it is interrupted.
// release must be called.
func (f *Fleet) Stage(ctx context.Context, app string) (release func(), err error) {
	return f.keeper(app).stage.Take(ctx)
}

// Serving reports whether all processes of app have a machine.
func (f *Fleet) Serving(app string) bool {
	k := f.keeper(app)
	all := k.posts.all()
	return len(all) > 0 && len(k.posts.instances()) == len(all)
}

// Down makes the front door answer with the reason why nothing serves app. starting says that a machine is on its way.
func (f *Fleet) Down(app, reason string, starting bool) { f.keeper(app).note(reason, starting) }

// Start boots app's live release and returns when it serves. If it does not start, further attempts follow in the
// background. The caller holds the stage.
func (f *Fleet) Start(ctx context.Context, app string, r *progress.Report) error {
	k := f.keeper(app)
	k.posts.calm()
	k.note("it is starting", true)
	missing, err := k.bootLive(ctx, r)
	if err != nil {
		for _, p := range missing {
			p.revive(background.FirstPause)
		}
	}
	return err
}

// Halt stops the machines of app, and lets the front door say why. The caller holds the stage.
func (f *Fleet) Halt(ctx context.Context, app, why string) error {
	f.cfg.Warm.End(app)
	f.cfg.Sleepers.Over(app)
	left := f.keeper(app).goDown(why)
	errs := make([]error, len(left))
	var all sync.WaitGroup
	for i, inst := range left {
		all.Go(func() { errs[i] = f.booter.stop(ctx, inst.ID(), f.cfg.Limits.Grace) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// HaltAll stops every machine, those too that were replaced and have not ended yet. Live releases stay live in the
// ledger, so the next process starts them again. It must be called after the fleet's background work has ended.
func (f *Fleet) HaltAll(ctx context.Context) {
	ids := map[string]bool{}
	for _, k := range f.allKeepers() {
		for _, inst := range k.halted() {
			ids[inst.ID()] = true
		}
	}
	running, err := f.cfg.Driver.List(ctx)
	if err != nil {
		f.cfg.Log.Error("machines cannot be listed; those that were replaced go on", "error", err)
	}
	for _, m := range running {
		ids[m.ID] = true
	}
	var all sync.WaitGroup
	for id := range ids {
		all.Go(func() {
			f.booter.stop(ctx, id, f.cfg.Limits.Grace) //nolint:errcheck // logged; the next start removes it
		})
	}
	all.Wait()
}

// Rename moves what is known of an app, and its traffic, from its old name to its new one. The caller holds the stage
// of from.
func (f *Fleet) Rename(from, to string) {
	k := f.keeper(from)
	f.mu.Lock()
	delete(f.keepers, from)
	f.keepers[to] = k
	f.mu.Unlock()
	f.cfg.Places.Rename(from, to)
	f.cfg.Warm.End(from)
	f.cfg.Sleepers.Rename(from, to)
	k.renamed(to)
	k.direct()
	f.cfg.Router.Remove(from)
}

// Forget drops what is known of an app that was destroyed: an app that gets its name later does not inherit its losses.
func (f *Fleet) Forget(app string) {
	f.keeper(app).posts.end()
	f.cfg.Sleepers.Over(app)
	f.mu.Lock()
	delete(f.keepers, app)
	f.mu.Unlock()
	f.cfg.Router.Remove(app)
}

// Drained waits until no replaced machine of app runs any more. It calls told if it has to wait.
func (f *Fleet) Drained(ctx context.Context, app string, told func()) error {
	return f.keeper(app).drains.Wait(ctx, told)
}

// observe tells the observer of a moment of a machine.
func (f *Fleet) observe(at core.Moment, inst *Instance, reason string) {
	m := inst.Machine()
	f.cfg.Observe(core.Transition{Moment: at, App: m.App, Release: m.Release, Machine: m.ID, Reason: reason})
}

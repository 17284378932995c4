// Package fleet is what runs: which machine serves each app, and what happens when a machine ends.
//
// It owns the machines from their boot to their stop, the health of a candidate, the traffic that goes to them, their
// replacement when they are lost, and what is known about the condition of each app. It does not own which release is
// live (packages deploy and ledger), how a machine runs (Driver) or how requests reach it (Router).
package fleet

import (
	"context"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Config is what a Fleet works with. Every field is required unless it says something else.
type Config struct {
	State  core.StateDir
	Ledger Ledger
	Driver Driver
	Router Router
	Output Output
	Trail  *audit.Trail
	Work   *background.Work
	Log    *slog.Logger

	Observe func(core.Transition)                 // called at each moment of a machine; nil: nothing is called
	Label   func(ctx context.Context, app string) // writes what the ledger knows of app into its folders

	Host     func(app string) string // the name an app is served under
	Defaults core.Resources          // for releases that ask for none
	Capacity core.Resources          // of the host that machines run on; zero fields are not known
	Limits   Limits
}

// Limits are how long a machine has for each part of its life.
type Limits struct {
	Boot  time.Duration // to boot, and again for its app to answer
	Drain time.Duration // for the requests that still run when it has been replaced
	Hold  time.Duration // for requests that wait while an app that cannot run twice is replaced
	Grace time.Duration // between SIGTERM and SIGKILL
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
		k = &keeper{f: f, app: app, stage: newStage()}
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
	return f.keeper(app).stage.take(ctx)
}

// Serving reports whether a machine serves app.
func (f *Fleet) Serving(app string) bool { return f.keeper(app).current() != nil }

// Down makes the front door answer with the reason why nothing serves app. starting says that a machine is on its way.
func (f *Fleet) Down(app, reason string, starting bool) { f.keeper(app).goDown(reason, starting) }

// Start boots app's live release and returns when it serves. If it does not start, further attempts follow in the
// background. The caller holds the stage.
func (f *Fleet) Start(ctx context.Context, app string, r *progress.Report) error {
	k := f.keeper(app)
	k.calm()
	k.goDown("it is starting", true)
	err := k.bootLive(ctx, r)
	if err != nil {
		k.revive(background.FirstPause)
	}
	return err
}

// Halt stops the machine that serves app, and lets the front door say why. The caller holds the stage.
func (f *Fleet) Halt(ctx context.Context, app, why string) error {
	k := f.keeper(app)
	inst := k.current()
	k.unserve(inst)
	k.goDown(why, false)
	if inst == nil {
		return nil
	}
	return f.booter.stop(ctx, inst.ID(), f.cfg.Limits.Grace)
}

// HaltAll stops every machine, those too that were replaced and have not ended yet. Live releases stay live in the
// ledger, so the next process starts them again. It must be called after the fleet's background work has ended.
func (f *Fleet) HaltAll(ctx context.Context) {
	ids := map[string]bool{}
	for _, k := range f.allKeepers() {
		if inst := k.halted(); inst != nil {
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
	if inst, reason := k.renamed(to); inst != nil {
		f.cfg.Router.Switch(to, inst.Addr())
	} else {
		f.cfg.Router.Down(to, reason)
	}
	f.cfg.Router.Remove(from)
}

// Forget drops what is known of an app that was destroyed: an app that gets its name later does not inherit its losses.
func (f *Fleet) Forget(app string) {
	f.keeper(app).end()
	f.mu.Lock()
	delete(f.keepers, app)
	f.mu.Unlock()
	f.cfg.Router.Remove(app)
}

// Drained waits until no replaced machine of app runs any more. It calls told if it has to wait.
func (f *Fleet) Drained(ctx context.Context, app string, told func()) error {
	return f.keeper(app).drains.wait(ctx, told)
}

// Discard stops a candidate that will not serve. A failure is logged, and the next start removes what is left.
func (f *Fleet) Discard(candidate *Instance) {
	f.booter.stop(context.WithoutCancel(f.cfg.Work.Context()), candidate.ID(), 0) //nolint:errcheck // see above
}

// observe tells the observer of a moment of a machine.
func (f *Fleet) observe(at core.Moment, inst *Instance, reason string) {
	m := inst.Machine()
	f.cfg.Observe(core.Transition{Moment: at, App: m.App, Release: m.Release, Machine: m.ID, Reason: reason})
}

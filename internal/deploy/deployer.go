package deploy

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
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
)

// Config is what a Deployer works with. Every field is required unless it says something else.
type Config struct {
	State     core.StateDir
	Ledger    Ledger
	Builder   Builder
	Images    Images
	Contents  Contents
	Fleet     *fleet.Fleet
	Tasks     Tasks
	Quotas    Quotas
	Ports     Ports
	Repos     Repos
	BuildLogs BuildLogs
	Shelf     *image.Shelf
	Collector *image.Collector
	Trail     *audit.Trail
	Work      *background.Work
	Log       *slog.Logger
	Observe   func(core.Transition) // called at each step, before anyone can see its effect; nil: nothing is called
	// Traced reports whether there is a trace of the push or command with this id, so that people are told of it. It is
	// asked after AtReceived; nil: there are none.
	Traced func(id string) bool

	Label func(ctx context.Context, app string) // writes what the ledger knows of app into its folders
	URL   func(app string) string               // where people find an app
	// Authorize says why by may not do any more what they asked for on app; it is asked at a deployment's turn and
	// before its swap. nil: everybody may.
	Authorize func(ctx context.Context, by core.Actor, app string) error
	Builds    int // how many run side by side; 0: as many as there are cores

	ReleaseLimit time.Duration // for a release command; 0: that of all one-off machines
}

// Deployer takes releases from a push or a command to live or to failed. Nothing else moves the state of a release up
// to live. Its methods are safe for concurrent use.
type Deployer struct {
	cfg    Config
	builds queue // of all apps

	mu    sync.Mutex
	lanes map[string]*queue // by app: which turn deploys it, and which turns wait
}

// New makes a Deployer. Call FailInterrupted and RepairAllRefs before the first push.
func New(cfg Config) *Deployer {
	if cfg.Builds == 0 {
		cfg.Builds = runtime.NumCPU()
	}
	if cfg.Observe == nil {
		cfg.Observe = func(core.Transition) {}
	}
	if cfg.Traced == nil {
		cfg.Traced = func(string) bool { return false }
	}
	if cfg.Authorize == nil {
		cfg.Authorize = func(context.Context, core.Actor, string) error { return nil }
	}
	return &Deployer{cfg: cfg, builds: queue{limit: cfg.Builds}, lanes: map[string]*queue{}}
}

// logOf returns the log whose lines name the trace of the push or command with this id, if there is one.
func (c Config) logOf(id string) *slog.Logger {
	if c.Traced(id) {
		return c.Log.With("trace_id", id)
	}
	return c.Log
}

// lane finds or makes the queue of app.
func (d *Deployer) lane(app string) *queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	q, ok := d.lanes[app]
	if !ok {
		q = &queue{limit: 1}
		d.lanes[app] = q
	}
	return q
}

// Rename moves the queue of an app from its old name to its new one. The turns that wait in the queue find, each when
// it comes, that the old name does not exist any more. The caller has the turn of from.
func (d *Deployer) Rename(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lanes[to] = d.lanes[from]
	delete(d.lanes, from)
}

// Forget ends the queue of an app that was destroyed, so that an app which gets its name later begins with an empty
// queue. The caller has the turn of app.
func (d *Deployer) Forget(app string) {
	q := d.lane(app)
	d.mu.Lock()
	delete(d.lanes, app)
	d.mu.Unlock()
	q.close(noApp(app))
}

// Answers to pushes and commands that come while gitd is stopping, or that its end breaks off.
var (
	errStopping     = core.Reject("gitd is stopping; try again when it is back", "")
	errPushStopping = core.Reject("gitd is stopping; push again when it is back", "nothing has changed: what was live stays live")
)

// QueueOf returns the turns of an app's deployments: the turn that has the app, then those that wait.
func (d *Deployer) QueueOf(app string) []QueueEntry { return d.lane(app).entries() }

// Overview is everything that gitd is deploying.
type Overview struct {
	Builds     []QueueEntry // those that run, then those that wait
	BuildLimit int          // how many builds run side by side
	Queue      []QueueEntry // the turns of all apps; those with position 0 deploy
}

// Overview returns everything that gitd is deploying.
func (d *Deployer) Overview() Overview {
	d.mu.Lock()
	lanes := slices.Collect(maps.Values(d.lanes))
	d.mu.Unlock()
	o := Overview{Builds: d.builds.entries(), BuildLimit: d.builds.limit}
	for _, q := range lanes {
		o.Queue = append(o.Queue, q.entries()...)
	}
	return o
}

package deploy

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Config is what a Deployer works with. Every field is required.
type Config struct {
	State     StateDir
	Ledger    Ledger
	Settings  Settings
	Builder   Builder
	Driver    Driver
	Router    Router
	Repos     Repos
	Output    Output
	BuildLogs BuildLogs
	Log       *slog.Logger

	Host     func(app string) string // the name an app is served under
	URL      func(app string) string // where people find it
	Defaults Resources               // for releases that ask for none

	BootTimeout  time.Duration // from boot to the first good answer
	DrainTimeout time.Duration // for requests on a replaced machine
	StopGrace    time.Duration // between SIGTERM and SIGKILL
}

// Deployer is the core: it alone changes the state of releases and machines.
// Its methods are safe for concurrent use.
type Deployer struct {
	cfg   Config
	locks locks

	// life ends when the daemon does. Deployments run on it and not on a
	// client's connection: a push whose client is gone goes on.
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	running map[string]*instance // by app: the machine that serves it
}

// New makes a Deployer. Call Reconcile before the first push.
func New(cfg Config) *Deployer {
	life, end := context.WithCancel(context.Background())
	return &Deployer{cfg: cfg, life: life, end: end, running: map[string]*instance{}}
}

// Close ends running deployments as failed and waits for them. Machines keep
// running: the next process adopts them.
func (d *Deployer) Close() {
	d.end()
	d.work.Wait()
}

// Halt is Close, and stops every machine. Live releases stay live in the
// ledger, so the next process starts them again.
func (d *Deployer) Halt(ctx context.Context) {
	d.Close()
	d.mu.Lock()
	running := d.running
	d.running = map[string]*instance{}
	d.mu.Unlock()
	var all sync.WaitGroup
	for app, inst := range running {
		all.Go(func() {
			d.cfg.Router.Down(app, "gitd is stopping")
			d.stop(ctx, inst.id(), d.cfg.StopGrace)
		})
	}
	all.Wait()
}

// goWork runs f in the background; Close waits for it.
func (d *Deployer) goWork(f func(ctx context.Context)) {
	d.work.Go(func() { f(d.life) })
}

// serve makes inst the machine of its app and returns the one before, or nil.
func (d *Deployer) serve(inst *instance) *instance {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.running[inst.release.App]
	d.running[inst.release.App] = inst
	return old
}

// unserve forgets inst if it still serves its app.
func (d *Deployer) unserve(inst *instance) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running[inst.release.App] != inst {
		return false
	}
	delete(d.running, inst.release.App)
	return true
}

// serving reports whether a machine serves app.
func (d *Deployer) serving(app string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running[app] != nil
}

// stop ends a machine and forgets it. Failures are logged: Reconcile removes
// what is left.
func (d *Deployer) stop(ctx context.Context, id string, grace time.Duration) {
	if err := d.cfg.Driver.Stop(ctx, id, grace); err != nil {
		d.cfg.Log.Error("machine does not stop", "machine", id, "error", err)
		return
	}
	if err := d.cfg.Ledger.DeleteMachine(ctx, id); err != nil {
		d.cfg.Log.Error("machine stays in the ledger", "machine", id, "error", err)
	}
	d.cfg.Log.Info("machine stopped", "machine", id)
}

// record writes to the audit; a failure to do so is logged, not returned.
func (d *Deployer) record(ctx context.Context, app, actor, action, detail string) {
	e := Entry{Time: time.Now(), App: app, Actor: actor, Action: action, Detail: detail}
	if err := d.cfg.Ledger.Record(ctx, e); err != nil {
		d.cfg.Log.Error("audit entry lost", "app", app, "action", action, "error", err)
	}
}

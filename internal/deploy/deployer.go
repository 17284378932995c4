package deploy

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"gitd/internal/core"
	"gitd/internal/image"
)

// Config is what a Deployer works with. Every field is required.
type Config struct {
	State     core.StateDir
	Ledger    Ledger
	Settings  Settings
	Builder   Builder
	Store     Store
	Driver    Driver
	Router    Router
	Repos     Repos
	Output    Output
	BuildLogs BuildLogs
	Volumes   Volumes
	Log       *slog.Logger

	VolumeFiles VolumeFiles

	Host     func(app string) string // the name an app is served under
	URL      func(app string) string // where people find it
	Defaults core.Resources          // for releases that ask for none

	Keep         int           // images of each app that was live are kept; the live one and the one before always are
	Builds       int           // side by side, of all apps; 0: as many as there are cores
	BootTimeout  time.Duration // for a machine to boot, and again for its app to answer
	DrainTimeout time.Duration // for requests on a replaced machine
	HoldTimeout  time.Duration // for requests while an app that cannot run twice is replaced
	StopGrace    time.Duration // between SIGTERM and SIGKILL
}

// Deployer is the core: it alone changes the state of releases and machines.
// Its methods are safe for concurrent use.
type Deployer struct {
	cfg    Config
	builds queue         // of all apps
	boots  chan struct{} // has a token for each machine that is being revived

	shelf     image.Shelf
	collector collector

	// life ends when the daemon does. Deployments run on it and not on a
	// client's connection: a push whose client is gone goes on.
	life context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu      sync.Mutex
	keepers map[string]*keeper // by app
}

// New makes a Deployer. Call Reconcile before the first push.
func New(cfg Config) *Deployer {
	if cfg.Builds == 0 {
		cfg.Builds = runtime.NumCPU()
	}
	life, end := context.WithCancel(context.Background())
	return &Deployer{
		cfg: cfg, builds: queue{limit: cfg.Builds}, boots: make(chan struct{}, runtime.NumCPU()),
		life: life, end: end, keepers: map[string]*keeper{},
	}
}

// Close ends running deployments as failed and waits for them. Machines keep
// running: the next process adopts them.
func (d *Deployer) Close() {
	d.mu.Lock()
	d.end()
	d.mu.Unlock()
	d.work.Wait()
}

// Halt is Close, and stops every machine. Live releases stay live in the
// ledger, so the next process starts them again.
func (d *Deployer) Halt(ctx context.Context) {
	d.Close()
	var all sync.WaitGroup
	for _, k := range d.allKeepers() {
		inst := k.current()
		if !k.unserve(inst) {
			continue
		}
		all.Go(func() {
			d.cfg.Router.Down(k.name(), "gitd is stopping")
			d.stop(ctx, inst.id(), d.cfg.StopGrace) //nolint:errcheck // logged; the next start removes it
		})
	}
	all.Wait()
}

// begin counts a piece of work that Close waits for, or refuses it because
// gitd is stopping.
func (d *Deployer) begin() (done func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.life.Err() != nil {
		return nil, d.life.Err()
	}
	d.work.Add(1)
	return d.work.Done, nil
}

// goWork runs f in the background, until it ends or gitd does.
func (d *Deployer) goWork(f func(ctx context.Context)) {
	done, err := d.begin()
	if err != nil {
		return
	}
	go func() {
		defer done()
		f(d.life)
	}()
}

// stop ends a machine and forgets it. A failure is logged too: Reconcile
// removes what is left.
func (d *Deployer) stop(ctx context.Context, id string, grace time.Duration) error {
	if err := d.cfg.Driver.Stop(ctx, id, grace); err != nil {
		d.cfg.Log.Error("machine does not stop", "machine", id, "error", err)
		return err
	}
	if err := d.cfg.Ledger.DeleteMachine(ctx, id); err != nil {
		d.cfg.Log.Error("machine stays in the ledger", "machine", id, "error", err)
	}
	d.cfg.Log.Info("machine stopped", "machine", id)
	return nil
}

// persist tries to write to the ledger until it is done: a full disk must not
// leave a release in a state that nobody moves it out of. It returns after
// the first try and goes on in the background.
func (d *Deployer) persist(what string, write func(ctx context.Context) error) {
	err := write(context.WithoutCancel(d.life))
	if err == nil {
		return
	}
	d.cfg.Log.Error("ledger cannot be written", "what", what, "error", err)
	d.goWork(func(ctx context.Context) {
		for n := 1; err != nil; n++ {
			select {
			case <-ctx.Done():
				return // the next start finds it unfinished
			case <-time.After(pause(n)):
			}
			err = write(ctx)
		}
		d.cfg.Log.Info("ledger written at last", "what", what)
	})
}

// record writes to the audit; a failure to do so is logged, not returned.
func (d *Deployer) record(ctx context.Context, app, actor, action, detail string) {
	e := core.Entry{Time: time.Now(), App: app, Actor: actor, Action: action, Detail: detail}
	if err := d.cfg.Ledger.Record(ctx, e); err != nil {
		d.cfg.Log.Error("audit entry lost", "app", app, "action", action, "error", err)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/applog"
	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/bootdisk"
	"github.com/nodeos-dev/gitd/internal/builder"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/hooks"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/repo"
	"github.com/nodeos-dev/gitd/internal/schedule"
	"github.com/nodeos-dev/gitd/internal/server"
	"github.com/nodeos-dev/gitd/internal/server/trust"
	"github.com/nodeos-dev/gitd/internal/volume"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// listeners are opened before anything else: if a port is in use, or a second gitd runs on the same state, that must be
// known before anything is changed.
type listeners struct {
	socket, hooks, ssh, http net.Listener
	release                  func() // of the state folder
}

func (o *options) listen(ctx context.Context, log zerolog.Logger) (*listeners, error) {
	state := core.StateDir(o.state)
	if err := state.Create(); err != nil {
		return nil, fmt.Errorf("state folder: %w; choose another with --state", err)
	}
	release, err := holdState(ctx, state, log)
	if err != nil {
		return nil, err
	}
	l := &listeners{release: release}
	if l.socket, err = control.Listen(state.Socket()); err != nil {
		l.close()
		return nil, err
	}
	if l.hooks, err = control.Listen(core.HookSocket(state)); err != nil {
		l.close()
		return nil, err
	}
	opened := opened()
	for i, to := range []*net.Listener{&l.ssh, &l.http} {
		if *to, err = o.tcp()[i].open(opened); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func (l *listeners) close() {
	for _, x := range []net.Listener{l.socket, l.hooks, l.ssh, l.http} {
		if x != nil {
			x.Close()
		}
	}
	l.release()
}

// observe is called at each transition of the core. It is nil in the product; the fault tests set it.
var observe func(core.Transition)

// tend folds and copies the ledger while gitd serves. The fault test that cuts the ledger's log takes it away.
var tend = (*ledger.Ledger).Tend

// daemon is everything that runs.
type daemon struct {
	l      *listeners
	log    zerolog.Logger
	ledger *ledger.Ledger
	people *people.Service
	repos  *repo.Repos
	walls  *walls.Walls // around git and the packer of layers
	driver *libvirt.Driver
	front  *proxy.Proxy
	logs   *applog.Store
	builds applog.Builds
	core   *engine.Engine
	desk   *hooks.Desk
	watch  *audit.Watch
	sent   *sent // to syslog; nil: nothing is
	door   *server.Server
	here   command.Door // how this host reaches the SSH door

	trust    *trust.Trust
	claimFor time.Duration
	claimEnd *time.Timer // nil: somebody can log in
	svc      command.Services
	contents contents.Reader
	halt     atomic.Bool // close must stop the machines too
	onStop   onStop      // whether to stop them when nobody typed halt
	grace    time.Duration
}

// wire makes the trades, then the core, which works with them, then the doors.
func (o *options) wire(ctx context.Context, l *listeners, stop context.CancelFunc, log zerolog.Logger) (*daemon, error) {
	d := &daemon{l: l, log: log, grace: o.stopGrace, here: o.fromHost(l.ssh.Addr()), claimFor: o.people.claimFor}
	if err := d.trades(ctx, o); err != nil {
		return nil, err
	}
	capacity := d.driver.Capacity()
	if err := core.CheckFits(o.defaults(), capacity); err != nil {
		return nil, o.refused("memory", err)
	}
	build, err := o.builder(d.ledger, d.walls, log)
	if err != nil {
		return nil, err
	}
	state := core.StateDir(o.state)
	d.contents = contents.New(state, baseInfo(state))
	slogger := slog.New(zerolog.NewSlogHandler(log))
	d.core = engine.New(engine.Config{
		State: state, Ledger: d.ledger, Volumes: volume.Open(state), Builder: build, Images: build, Contents: d.contents, Driver: d.driver,
		Router: d.front, Repos: d.repos, Output: d.logs, BuildLogs: d.builds,
		Labels: label.New(state, d.ledger, slogger), Log: slogger, Observe: observe,
		Domain: o.domain, URL: o.url(l.http), Defaults: o.defaults(), Egress: o.network.egress, Capacity: capacity, Limits: o.limits(), Quotas: o.quotas.limits(capacity, log),
		OneOff: engine.OneOff{Run: o.runLimit, Release: o.releaseLimit, Follow: build.Follow, Next: schedule.Next},
		Keep:   o.keep, Builds: o.parallel, Authorize: d.people.Still,
	})
	return d, d.doors(o, stop)
}

// trades opens what the core works with.
func (d *daemon) trades(ctx context.Context, o *options) (err error) {
	state := core.StateDir(o.state)
	if d.trust, err = trust.Open(o.people.trustedCA, o.people.revoked); err != nil {
		return err
	}
	if d.ledger, err = openLedger(ctx, state); err != nil {
		return err
	}
	if err := d.guard(ctx, o.syslog); err != nil {
		return err
	}
	d.people = people.NewService(d.ledger)
	d.people.Vouch = d.trust.VouchText
	if err := o.people.registerAdmins(ctx, d.people, d.log); err != nil {
		return err
	}
	if err := d.openRepos(ctx, o); err != nil {
		return err
	}
	program, err := beside(o.machine, "gitd-machine")
	if err != nil {
		return err
	}
	if d.driver, err = libvirt.New(ctx, libvirt.Config{
		URI: o.libvirt, State: state, Accel: o.accel, Machine: program, SharedUID: o.sharedUID, Log: d.log,
	}); err != nil {
		return err
	}
	d.front = proxy.New(proxy.Config{Domain: o.domain, Log: d.log, Limits: o.conns})
	d.logs, d.builds = applog.Open(state.Log), applog.OpenBuilds(state.BuildLog)
	return nil
}

// doors makes the doors by which people and git come in.
func (d *daemon) doors(o *options, stop context.CancelFunc) error {
	state := core.StateDir(o.state)
	d.desk = hooks.NewDesk(core.HookSocket(state), d.core)
	d.desk.Judged = d.pushed
	d.svc = command.Services{
		Ledger: d.ledger, Settings: d.ledger, People: d.people, Core: d.core, Tasks: d.core.OneOffs, Quotas: d.core.Quotas, Networks: d.core.Networks, Logs: d.logs, Builds: d.builds,
		Contents: d.contents, Tools: d.ledger,
		Disks:  bootdisk.NewExporter(state, audit.New(d.ledger, slog.New(zerolog.NewSlogHandler(d.log)))),
		Counts: d.front.Counts, HasImage: func(m core.Manifest) bool { return !m.Empty() && image.Check(state, m) == nil },
		Host: o.host, URL: o.url(d.l.http), Defaults: o.defaults(), Egress: o.network.egress,
		Status: hostStatus(o.state, d.driver), Version: buildVersion(),
		Halt: func() { d.halt.Store(true); stop() },
	}
	key, err := server.HostKey(state.HostKey())
	if err != nil {
		return err
	}
	d.svc.HostKeys = server.Fingerprints(key)
	others, err := server.OtherHostKeys(state.HostKey())
	if err != nil {
		return err
	}
	d.door = server.New(server.Config{
		HostKey: key, OtherKeys: others, Trust: d.trust, Services: d.svc, Pushes: d.desk, Git: d.repos,
		Core: d.core, Log: d.log, Watch: d.watch, SessionsOf: o.people.sessions,
		Public: o.public(d.l.ssh.Addr()), LoginTimeout: o.people.loginTimeout, IdleTimeout: o.people.idleTimeout,
	})
	d.svc.Sessions = d.door.Seats
	return nil
}

// defaults returns the resources of releases that ask for nothing.
func (o *options) defaults() core.Resources { return core.Resources{MemoryMiB: o.memory, CPUs: 1} }

func (o *options) limits() fleet.Limits {
	return fleet.Limits{Boot: o.bootLimit, Drain: o.drainLimit, Hold: o.holdLimit, Grace: o.stopGrace}
}

// builder makes the builder. taken has the tools that were taken before, and packer stands around the packer of layers;
// either may be nil.
func (o *options) builder(taken tools.Ledger, packer *walls.Walls, log zerolog.Logger) (*builder.Builder, error) {
	init, err := o.guestInit()
	if err != nil {
		return nil, err
	}
	kernel, err := base.ParseKernelChoice(o.kernel)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	trust, err := o.trust.of(taken)
	if err != nil {
		return nil, err
	}
	state := core.StateDir(o.state)
	bases := base.New(base.Config{State: state, GuestInit: init, Kernel: kernel, StockKernel: o.stock})
	return builder.New(builder.Config{
		State: state, Bases: bases, Registry: o.registry, Trust: trust,
		BuildTimeout: o.buildLimit, AllowUnsandboxed: o.noSandbox, RequireLockfile: o.lockfile, Packer: packer, Self: []string{self, sandboxCommand}, Log: log,
	})
}

// openRepos opens the repositories, and makes the hooks of their pushes.
func (d *daemon) openRepos(ctx context.Context, o *options) (err error) {
	state := core.StateDir(o.state)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return err
	}
	if err := hooks.Install(state.Hooks(), self); err != nil {
		return err
	}
	d.walls = o.walls(ctx, d.log)
	d.repos, err = repo.Open(state, d.walls, state.Hooks(), self, core.HookSocket(state))
	return err
}

// walls are those of the programs that read strangers' bytes: git, and the packer of layers.
func (o *options) walls(ctx context.Context, log zerolog.Logger) *walls.Walls {
	w, err := walls.New(ctx)
	switch {
	case err == nil:
		return w
	case o.noSandbox:
		log.Warn().Err(err).Msg("git runs without walls: what takes it over by an object of a push has everything that gitd has")
		return walls.None()
	}
	log.Warn().Err(err).Msg("no walls for git: nothing can be pushed or fetched")
	return walls.Missing(core.Reject("this server cannot keep git behind walls, so it takes no push and gives no repository",
		"its operator finds the reason in gitd's log"))
}

// begin brings the machines into line with the ledger.
func (d *daemon) begin(ctx context.Context, out io.Writer) error {
	if err := d.core.Start(ctx); err != nil {
		return err
	}
	d.log.Info().
		Str("ssh", d.l.ssh.Addr().String()).Str("http", d.l.http.Addr().String()).
		Str("socket", d.l.socket.Addr().String()).Str("accel", d.driver.Accel()).
		Strs("host_keys", d.svc.HostKeys).Msg("ready")
	return d.claim(ctx, out)
}

// serve begins, opens the doors and waits for ctx.
func (d *daemon) serve(ctx context.Context, out io.Writer) error {
	if err := d.begin(ctx, out); err != nil {
		if ctx.Err() != nil { // gitd was told to stop before it had begun
			d.end()
		}
		return err
	}
	front, closeFront := context.WithCancel(context.WithoutCancel(ctx))
	defer closeFront()
	defer context.AfterFunc(ctx, d.core.Close)() // while the doors can still say why a push ends
	return all(ctx,
		func(ctx context.Context) error {
			<-ctx.Done()
			defer closeFront() // the last of the doors: it says that gitd is stopping
			d.end()
			return nil
		},
		d.answer,
		func(ctx context.Context) error { return d.door.Serve(ctx, d.l.ssh) },
		func(context.Context) error { return d.front.Serve(front, d.l.http) },
		func(ctx context.Context) error { return tend(d.ledger, ctx, slog.New(zerolog.NewSlogHandler(d.log))) },
	)
}

// answer serves the daemon's unix sockets until ctx ends, and then lets the calls say why they end. The hooks
// have one of their own, which is all that is there for them behind git's walls: on the other a caller may do anything.
func (d *daemon) answer(ctx context.Context) error {
	calls, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	defer context.AfterFunc(ctx, func() {
		end(server.ErrStopping)
		d.l.socket.Close()
		d.l.hooks.Close()
	})()
	return all(ctx,
		func(context.Context) error { return control.Serve(calls, d.l.socket, d.call) },
		func(context.Context) error { return control.Serve(calls, d.l.hooks, d.hook) },
	)
}

// hook answers the hooks of git.
func (d *daemon) hook(ctx context.Context, c control.Call, s control.Streams) int {
	if c.Name != hooks.ProcReceive && c.Name != hooks.PostReceive {
		return 2
	}
	return d.desk.Handle(ctx, c, s)
}

// call answers the daemon's unix socket.
func (d *daemon) call(ctx context.Context, c control.Call, s control.Streams) int {
	switch c.Name {
	case "cli":
		return cli.Run(ctx, d.svc, command.Caller{
			Actor: core.Host(), In: s.In, Out: s.Out, Err: s.Err, Terminal: shown(ctx, c, s.Resized),
			Door: d.here,
		}, c.Args)
	default:
		return 2
	}
}

// end stops the machines, if somebody halted gitd or they would be killed after it, and leaves them running otherwise.
func (d *daemon) end() {
	why := "gitd halt"
	if !d.halt.Load() {
		var halts bool
		if why, halts = d.onStop.halts(); !halts {
			return
		}
		d.halt.Store(true)
	}
	d.log.Info().Str("because", why).Dur("grace", d.grace).Msg("stopping the machines")
	ctx, cancel := context.WithTimeout(context.Background(), d.grace+10*time.Second)
	defer cancel()
	d.core.Halt(ctx)
}

// close ends the deployments, and then closes the driver, the logs and the ledger, in this order: the driver writes to
// the logs.
func (d *daemon) close() error {
	if d.claimEnd != nil {
		d.claimEnd.Stop()
	}
	d.core.Close()
	d.sent.end()
	err := errors.Join(d.driver.Close(), d.logs.Close(), d.ledger.Close())
	d.log.Info().Bool("machines_stopped", d.halt.Load()).Msg("stopped")
	return err
}

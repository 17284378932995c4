package main

import (
	"cmp"
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
	"github.com/nodeos-dev/gitd/internal/builder/rebase"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/certs"
	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/doors"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/handover"
	"github.com/nodeos-dev/gitd/internal/hooks"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/proxy/access"
	"github.com/nodeos-dev/gitd/internal/proxy/guard"
	"github.com/nodeos-dev/gitd/internal/repo"
	"github.com/nodeos-dev/gitd/internal/schedule"
	"github.com/nodeos-dev/gitd/internal/server"
	"github.com/nodeos-dev/gitd/internal/server/trust"
	"github.com/nodeos-dev/gitd/internal/spare"
	"github.com/nodeos-dev/gitd/internal/systemd"
	"github.com/nodeos-dev/gitd/internal/tcp"
	"github.com/nodeos-dev/gitd/internal/walls"
	"github.com/nodeos-dev/gitd/internal/warm"
)

// listeners are opened before anything else: if a port is in use, or a second gitd runs on the same state, that must be
// known before anything is changed.
type listeners struct {
	socket, hooks, ssh, http net.Listener
	https                    net.Listener     // nil: there is no TLS
	quic                     net.PacketConn   // nil: there is no HTTP/3
	doors                    *doors.Set       // all of these, and those that are opened later
	lock                     *os.File         // of the state folder
	before                   *handover.Before // the gitd whose place this one takes; nil: there is none
}

func (o *options) listen(ctx context.Context, log zerolog.Logger) (*listeners, error) {
	state := core.StateDir(o.state)
	if err := state.Create(); err != nil {
		return nil, fmt.Errorf("state folder: %w; choose another with --state", err)
	}
	l := &listeners{}
	var err error
	if l.before, l.lock, err = before(log); err == nil && l.before == nil {
		l.lock, err = holdState(ctx, state, log)
	}
	if err != nil {
		return nil, err
	}
	if l.doors, err = doors.Inherit(); err == nil {
		err = l.open(o, state)
	}
	if err == nil {
		err = l.await(state, log)
	}
	if err != nil {
		l.failed(err)
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *listeners) open(o *options, state core.StateDir) error {
	for path, to := range map[string]*net.Listener{state.Socket(): &l.socket, core.HookSocket(state): &l.hooks} {
		door, err := l.doors.Unix(filepath.Base(path), path, control.Listen)
		if err != nil {
			return err
		}
		*to = door.Pausing()
	}
	to := []*net.Listener{&l.ssh, &l.http, &l.https}
	for i, d := range o.tcp() {
		door, err := d.open(l.doors)
		if err != nil {
			return err
		}
		if d.flag == "ssh" {
			door.Pausing()
		}
		*to[i] = door
	}
	return l.openPackets(o)
}

func (l *listeners) close() {
	for _, x := range []net.Listener{l.socket, l.hooks, l.ssh, l.http, l.https} {
		if x != nil {
			x.Close()
		}
	}
	if l.quic != nil {
		l.quic.Close()
	}
	l.lock.Close()
}

// observe is called at each transition of the core, after the observers of the product. It is nil there; the fault
// tests set it.
var observe func(core.Transition)

// tend folds and copies the ledger while gitd serves. The fault test that cuts the ledger's log takes it away.
var tend = (*ledger.Ledger).Tend

// daemon is everything that runs.
type daemon struct {
	sending

	l      *listeners
	log    zerolog.Logger
	ledger *ledger.Ledger
	people *people.Service
	repos  *repo.Repos
	walls  *walls.Walls // around git and the packer of layers
	driver *libvirt.Driver
	spares *spare.Pool // the driver, with machines that wait
	warm   *warm.Pool  // and with those that were replaced
	front  *proxy.Proxy
	tcp    *tcp.Router
	certs  *certs.Keeper // nil: there is no TLS
	logs   *applog.Store
	builds applog.Builds
	access *applog.Store // the requests of each app
	noted  *access.File  // those of all apps; nil: nothing is
	core   *engine.Engine
	desk   *hooks.Desk
	watch  *audit.Watch
	sent   *sent // to syslog; nil: nothing is
	door   *server.Server
	here   command.Door // how this host reaches the SSH door

	watching *watching
	trust    *trust.Trust
	claimFor time.Duration
	claimEnd *time.Timer // nil: somebody can log in
	svc      command.Services
	contents contents.Reader
	copies   copyRoom
	halt     atomic.Bool // close must stop the machines too
	onStop   onStop      // whether to stop them when nobody typed halt
	grace    time.Duration

	next   *succession // how another gitd takes over
	vitals vitals      // what the service manager is told
}

// wire makes the trades, then the core, which works with them, then the doors.
func (o *options) wire(ctx context.Context, l *listeners, stop context.CancelFunc, log zerolog.Logger) (*daemon, error) {
	d := &daemon{l: l, log: log, grace: o.stopGrace, here: o.fromHost(l.ssh.Addr()), claimFor: o.people.claimFor}
	d.next, d.vitals = newSuccession(ctx, d), vitals{d, o.manager}
	d.next.patience, d.next.drain, d.next.ledger = o.upgrade.patience, o.drainLimit, core.StateDir(o.state).Ledger()
	if n := walls.Orphans(o.state); n > 0 {
		log.Warn().Int("count", n).Msg("programs behind walls were left by a gitd that was killed; they were ended")
	}
	if err := d.trades(ctx, o); err != nil {
		return nil, err
	}
	if err := o.spares.elsewhere(libvirt.Elsewhere(d.driver)); err != nil {
		return nil, o.refused("spares", err)
	}
	capacity := d.driver.Capacity()
	if err := core.CheckFits(o.defaults(), capacity); err != nil {
		return nil, o.refused("memory", err)
	}
	build, bases, err := o.builder(d.ledger, d.walls, log)
	if err != nil {
		return nil, err
	}
	state := core.StateDir(o.state)
	d.contents = contents.New(state, baseInfo(state))
	slogger := slog.New(zerolog.NewSlogHandler(log))
	d.ready(o, slogger)
	asleep := sleepers(d, o, slogger)
	d.core = engine.New(engine.Config{
		State: state, Ledger: d.ledger, Volumes: volumesOf(d, state), Capturer: d.driver, Builder: build, Images: build, Contents: d.contents, Driver: asleep.Beds, Sleep: asleep, Warm: d.warm,
		Router: ways{d.front, d.tcp}, Ports: d.tcp, HostPorts: engine.HostPorts{Ranges: o.byTCP.ranges, Own: l.ownPorts()}, Repos: d.repos, Output: d.logs, BuildLogs: d.builds, Access: d.access,
		Bases: bases, Stopping: server.ErrStopping, Hash: guard.Hash,
		Labels: label.New(state, d.ledger, slogger), Log: slogger, Observe: d.watching.moment, Traced: d.watching.traces.Traced,
		Domain: o.domain, URL: urls(o, d), Defaults: o.defaults(), Egress: o.network.egress, Capacity: capacity, Limits: o.limits(), Quotas: o.quotas.limits(capacity, log),
		OneOff: engine.OneOff{Run: o.runLimit, Release: o.releaseLimit, Follow: build.Follow, Next: schedule.Next},
		Keep:   o.keep, Builds: o.parallel, Authorize: d.people.Still,
	})
	return d, d.doors(o, stop)
}

// trades opens what the core works with.
func (d *daemon) trades(ctx context.Context, o *options) (err error) {
	state := core.StateDir(o.state)
	if d.watching, err = o.watch.begin(ctx, d.log); err != nil {
		return err
	}
	d.watching.inherit(d.l.doors, &o.watch)
	if d.trust, err = trust.Open(o.people.trustedCA, o.people.revoked); err != nil {
		return err
	}
	if d.ledger, err = openLedger(ctx, state); err != nil {
		return err
	}
	if err := noteUpgrade(ctx, d.ledger, d.log); err != nil {
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
	d.tcp = openTCP(d, &o.byTCP)
	program, err := beside(o.machine, "gitd-machine")
	if err != nil {
		return err
	}
	if d.driver, err = libvirt.New(ctx, libvirt.Config{
		URI: o.libvirt, State: state, Accel: o.accel, Machine: program, SharedUID: o.sharedUID, Link: linkBy(d), Bridge: o.byBridge.with(d.log), Log: d.log,
	}); err != nil {
		return err
	}
	if err := d.openCerts(o); err != nil {
		return err
	}
	if err := d.openAccess(state, &o.front); err != nil {
		return o.refused("access-log", err)
	}
	d.front = proxy.New(proxy.Config{
		Domain: o.domain, Log: d.log, Limits: o.conns, Trusted: o.front.proxies, Passing: o.front.passers, Secure: o.secure(d), After: d.after(&o.front), Before: d.l.gone(),
	})
	return openLogs(o, d)
}

// doors makes the doors by which people and git come in.
func (d *daemon) doors(o *options, stop context.CancelFunc) error {
	state := core.StateDir(o.state)
	d.desk = hooks.NewDesk(core.HookSocket(state), d.core)
	d.desk.Judged = d.pushed
	d.copies = newCopyRoom(d, o)
	d.svc = command.Services{
		Ledger: d.ledger, Settings: d.ledger, People: d.people, Core: d.core, Tasks: d.core.OneOffs, Quotas: d.core.Quotas, Networks: d.core.Networks, Policies: d.core.Policies, Ports: d.core.Ports, Links: d.core.Links, PortUse: d.tcp.Use, Logs: d.logs, Access: d.access, Builds: d.builds,
		Front:    d.core.Front,
		Sleepers: d.core.Sleep,
		Refused:  d.front.Refused,
		Bases:    d.core.Bases,
		Copies:   d.core.Copies,
		Backups:  d.copies.backups,
		Contents: d.contents, Tools: d.ledger,
		Drains: d.drains, Webhooks: d.told,
		Disks:  bootdisk.NewExporter(state, audit.New(d.ledger, slog.New(zerolog.NewSlogHandler(d.log)))),
		Counts: d.front.Counts, Certificates: d.certificates(), HasImage: func(m core.Manifest) bool { return !m.Empty() && image.Check(state, m) == nil },
		Kept: d.warm.Kept, Spares: d.spares.Ready,
		Host: o.host, URL: urls(o, d), Defaults: o.defaults(), Egress: o.network.egress,
		Status: hostStatus(o.state, d.driver), Version: buildVersion(),
		Claim: func(ctx context.Context) (string, error) { line, _, err := d.openClaim(ctx); return line, err },
		Halt:  func() { d.halt.Store(true); stop() }, Upgrade: d.next.upgrade,
	}
	o.byBridge.onBridge(&d.svc)
	key, err := server.HostKey(state.HostKey())
	if err != nil {
		return err
	}
	d.svc.HostKeys, d.svc.PublicKeys = server.Fingerprints(key), server.PublicKeys(key)
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

// builder makes the builder, and what chooses bases with it. taken has the tools that were taken before, and packer
// stands around the packer of layers; either may be nil.
func (o *options) builder(taken tools.Ledger, packer *walls.Walls, log zerolog.Logger) (*builder.Builder, rebase.Rebaser, error) {
	init, err := o.guestInit()
	if err != nil {
		return nil, rebase.Rebaser{}, err
	}
	kernel, err := base.ParseKernelChoice(o.kernel)
	if err != nil {
		return nil, rebase.Rebaser{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, rebase.Rebaser{}, err
	}
	trust, err := o.trust.of(taken)
	if err != nil {
		return nil, rebase.Rebaser{}, err
	}
	state := core.StateDir(o.state)
	bases := base.New(base.Config{State: state, GuestInit: init, Kernel: kernel, StockKernel: o.stock})
	b, err := builder.New(builder.Config{
		State: state, Bases: bases, Registry: o.registry, Trust: trust,
		BuildTimeout: o.buildLimit, AllowUnsandboxed: o.noSandbox, RequireLockfile: o.lockfile, Packer: packer, Self: []string{self, sandboxCommand}, Log: log,
	})
	return b, rebase.Rebaser{State: state, Builder: b, Bases: bases}, err
}

// openRepos opens the repositories, and makes the hooks of their pushes.
func (d *daemon) openRepos(ctx context.Context, o *options) (err error) {
	state := core.StateDir(o.state)
	hook, err := beside("", "gitd-hook")
	if err != nil {
		return err
	}
	if hook, err = filepath.EvalSymlinks(hook); err != nil {
		return fmt.Errorf("gitd-hook, which git runs during a push, is missing: %w; `make build` puts it beside gitd", err)
	}
	if err := hooks.Install(state.Hooks(), hook); err != nil {
		return err
	}
	d.walls = o.walls(ctx, d.log)
	d.repos, err = repo.Open(state, d.walls, state.Hooks(), hook, core.HookSocket(state))
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
func (d *daemon) begin(ctx context.Context, o *options, out io.Writer) error {
	if err := d.sending.begin(ctx); err != nil {
		return err
	}
	if err := d.core.Start(ctx); err != nil {
		return err
	}
	d.expect(ctx, o)
	for _, name := range d.l.doors.CloseRest() {
		d.log.Warn().Str("door", name).Msg("a socket that this gitd was given is closed: it has no use for it")
	}
	o.byBridge.announce(d.log)
	d.log.Info().
		Str("ssh", d.l.ssh.Addr().String()).Str("http", d.l.http.Addr().String()).Str("https", addrOf(d.l.https)).
		Str("socket", d.l.socket.Addr().String()).Str("accel", d.driver.Accel()).
		Strs("host_keys", d.svc.HostKeys).Msg("ready")
	return d.claim(ctx, out)
}

// serve begins, opens the doors and waits for ctx.
func (d *daemon) serve(ctx context.Context, o *options, out io.Writer) error {
	if err := d.begin(ctx, o, out); err != nil {
		if ctx.Err() != nil { // gitd was told to stop before it had begun
			d.end()
		}
		return err
	}
	front, closeFront := context.WithCancel(context.WithoutCancel(ctx))
	defer closeFront()
	defer context.AfterFunc(ctx, d.core.Close)() // while the doors can still say why a push ends
	err := all(ctx,
		func(ctx context.Context) error {
			<-ctx.Done()
			defer closeFront() // the last of the doors: it says that gitd is stopping
			d.end()
			return nil
		},
		func(ctx context.Context) error { return d.next.work(ctx, o) },
		func(ctx context.Context) error { return d.next.leave(ctx, closeFront) },
		func(context.Context) error { return d.front.Serve(front, d.l.http) },
		func(ctx context.Context) error { return d.serveSecure(ctx, front) },
		func(context.Context) error { return d.tcp.Serve(front) },
	)
	if errors.Is(err, errSucceeded) {
		return nil
	}
	return err
}

// answer serves the daemon's unix sockets until ctx ends, and then lets the calls say why they end. The hooks
// have one of their own, which is all that is there for them behind git's walls: on the other a caller may do anything.
func (d *daemon) answer(ctx context.Context) error {
	calls, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	defer context.AfterFunc(ctx, func() {
		end(cmp.Or(d.next.why(), server.ErrStopping))
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
		stay, end := d.next.calls.begin(c.Args)
		defer end()
		return cli.Run(ctx, d.svc, command.Caller{
			Actor: core.Host(), In: s.In, Out: s.Out, Err: s.Err, Terminal: shown(ctx, c, s.Resized),
			Door: d.here, Stay: stay,
		}, c.Args)
	case "ping":
		return 0
	default:
		return 2
	}
}

// end stops the machines, if somebody halted gitd or they would be killed after it, and leaves them running otherwise.
func (d *daemon) end() {
	if d.next.why() != nil {
		return // they are another gitd's
	}
	d.vitals.tell(systemd.Stopping, systemd.Status("stopping"))
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

// close ends what is left.
func (d *daemon) close() error {
	err := errors.Join(d.next.close(d.driver.Close), d.closeAccess())
	d.log.Info().Bool("machines_stopped", d.halt.Load()).Msg("stopped")
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/heap"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/systemd"
)

// options are the flags of `gitd serve`.
type options struct {
	state        string
	ssh, http    string
	https        httpsOptions
	libvirt      string
	accel        string
	domain       string
	registry     string
	trust        trustOptions
	kernel       string
	stock        string
	init         string
	machine      string // the program gitd-machine
	sharedUID    bool
	people       peopleOptions
	syslog       string // where the audit is sent; empty: nowhere
	network      networkOptions
	byBridge     bridgeOptions
	spares       spareOptions
	warm         warmOptions
	sleep        sleepOptions
	receivers    receiverOptions
	upgrade      upgradeOptions
	manager      systemd.Manager // that has started gitd
	front        frontOptions
	watch        watchOptions
	byTCP        tcpOptions
	noSandbox    bool
	lockfile     bool // dependencies without a lockfile are refused
	memory       int
	quotas       quotaOptions
	bootLimit    time.Duration
	drainLimit   time.Duration
	keep         int
	holdLimit    time.Duration
	parallel     int // how many builds run side by side
	stopGrace    time.Duration
	onStop       string
	buildLimit   time.Duration
	runLimit     time.Duration // for a command in a one-off machine
	releaseLimit time.Duration
	conns        proxy.Limits
	logLevel     string
	flags        *pflag.FlagSet // that these came from
}

func (h *host) serve() *cobra.Command {
	var o options
	cmd := &cobra.Command{Use: "serve", Short: "run the daemon", Args: command.Args(cobra.NoArgs)}
	o.serveFlags(cmd.Flags())
	h.userFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.state = h.state
		log, err := logger(h.err, o.logLevel)
		if err != nil {
			return err
		}
		if err := o.check(cmd.Flags()); err != nil {
			return err
		}
		if err := h.become(cmd.Context(), cmd, log, o.forRoot()...); err != nil {
			return err
		}
		if o.upgrade.check {
			return rehearse(cmd.Context(), &o, h.out)
		}
		heap.Relax()
		return o.run(cmd.Context(), log, h.err)
	}
	return cmd
}

func (o *options) serveFlags(f *pflag.FlagSet) {
	o.builderFlags(f)
	f.StringVar(&o.ssh, "ssh", ":2222", "address of the SSH door")
	f.StringVar(&o.http, "http", ":8080", "address of the HTTP front door")
	o.https.flags(f)
	f.StringVar(&o.libvirt, "libvirt", "", "libvirt connection URI; empty: QEMU driver embedded in this process")
	f.StringVar(&o.accel, "accel", "auto", "auto, kvm or qemu (emulation)")
	f.IntVar(&o.conns.Conns, "max-connections", 0, "HTTP connections of all clients; 0: as many as gitd's open files allow")
	f.IntVar(&o.conns.ConnsFrom, "max-connections-from", 0, "HTTP connections from one address; 0: a quarter of them. A proxy in front of gitd is one address, unless --trusted-proxies or --proxy-protocol names it")
	f.StringVar(&o.machine, "machine-program", "", "the gitd-machine binary; empty: beside gitd")
	f.BoolVar(&o.sharedUID, "allow-shared-uid", false, "run machines without ids of their own where the host has none: one that breaks out of its QEMU reaches all others")
	f.StringVar(&o.domain, "domain", "localhost", "apps are served at APP.DOMAIN")
	o.people.flags(f)
	f.StringVar(&o.syslog, "audit-syslog", "", "send the audit and each login to a syslog receiver: udp://HOST:514, tcp://HOST:514 or unix:///dev/log; empty: to none")
	o.network.flags(f)
	o.byBridge.flags(f)
	o.spares.flags(f)
	o.warm.flags(f)
	o.sleep.flags(f)
	o.receivers.flags(f)
	o.upgrade.flags(f)
	o.front.flags(f)
	o.watch.flags(f)
	o.byTCP.flags(f)
	f.IntVar(&o.memory, "memory", 128, "default memory of a machine, MiB")
	o.quotas.flags(f)
	f.DurationVar(&o.bootLimit, "boot-timeout", 60*time.Second, "for a machine to boot, and then for its app to give a first good answer")
	f.DurationVar(&o.drainLimit, "drain-timeout", 30*time.Second, "for requests that still run on a replaced machine")
	f.DurationVar(&o.holdLimit, "hold-timeout", 30*time.Second, "for requests that wait while an app with a volume is replaced")
	f.DurationVar(&o.releaseLimit, "release-timeout", 15*time.Minute, "for the release command of a Procfile")
	f.DurationVar(&o.runLimit, "run-timeout", 24*time.Hour, "for a command of `run` or of a schedule that says no other limit")
	f.IntVar(&o.parallel, "builds", 0, "builds that run side by side; 0: as many as there are cores")
	f.IntVar(&o.keep, "keep", 5, "images of each app that are kept for rollbacks; the live one and the one before always are")
	f.DurationVar(&o.stopGrace, "stop-grace", 10*time.Second, "between SIGTERM and SIGKILL for an app")
	f.BoolVar(&o.lockfile, "require-lockfile", false, "refuse dependencies without a lockfile, instead of making one")
	f.StringVar(&o.onStop, "on-stop", stopAuto, "the machines, when gitd is told to end: keep, halt, or auto: halt if the host or the container ends too")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
}

// builderFlags adds the flags of every command that builds.
func (o *options) builderFlags(f *pflag.FlagSet) {
	f.StringVar(&o.registry, "registry", "", "npm registry; empty: npm_config_registry, else npm's own")
	o.trust.flags(f)
	f.StringVar(&o.kernel, "kernel", string(base.AutoKernel), "of machines: minimal (compiled by gitd, minutes the first time), stock (Debian's), or auto: minimal if it is compiled")
	f.StringVar(&o.stock, "stock-kernel", base.DefaultStockKernel, "folder with the stock kernel, as scripts/setup leaves it")
	f.StringVar(&o.init, "guest-init", "", "the nodeos-init binary; empty: beside gitd")
	f.BoolVar(&o.noSandbox, "allow-unsandboxed-builds", false, "build, and run git, without bubblewrap where there is none: anyone who may push can then run anything as gitd's user")
	f.DurationVar(&o.buildLimit, "build-timeout", 15*time.Minute, "for one build command")
}

// run wires the daemon and serves until ctx ends or somebody halts it. What a person must read at the start goes to
// out.
func (o *options) run(ctx context.Context, log zerolog.Logger, out io.Writer) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	end, err := newOnStop(o.onStop)
	if err != nil {
		return err
	}
	o.manager = systemd.Take()
	l, err := o.listen(ctx, log)
	if err != nil {
		return err
	}
	defer l.close()
	defer func() { l.failed(err) }()
	d, err := o.wire(ctx, l, stop, log)
	if err != nil {
		return err
	}
	d.onStop = end
	defer func() { err = errors.Join(err, d.close()) }()
	return d.serve(ctx, o, out)
}

// logger returns a logger that writes JSON lines, or readable lines if w is a terminal.
func logger(w io.Writer, level string) (zerolog.Logger, error) {
	lv, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Logger{}, fmt.Errorf("--log-level %q: use debug, info, warn or error", level)
	}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).Level(lv).With().Timestamp().Logger(), nil
}

func (o *options) host(app string) string { return app + "." + o.domain }

// beside finds a program: where a flag says, or in the folder of this one, or where Debian's package has it.
func beside(flag, name string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	self, err := os.Executable()
	path := filepath.Join(filepath.Dir(self), name)
	if _, missing := os.Stat(path); missing != nil && filepath.Dir(self) == "/usr/bin" {
		path = filepath.Join("/usr/lib/gitd", name)
	}
	return path, err
}

// guestInit finds nodeos-init.
func (o *options) guestInit() (string, error) {
	path, err := beside(o.init, "nodeos-init")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("nodeos-init, the guest's first process, is missing: %w; `make build` puts it beside gitd", err)
	}
	return path, nil
}

// all runs the doors together. When one fails, the others end.
func all(ctx context.Context, fs ...func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range fs {
		g.Go(func() error { return f(ctx) })
	}
	return g.Wait()
}

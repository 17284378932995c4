package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/bridge"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
	"github.com/nodeos-dev/gitd/internal/libvirt/sight"
)

// Config says where machines run.
type Config struct {
	URI       string        // libvirt's; empty: the QEMU driver within this process, rooted at State.Libvirt()
	State     core.StateDir // for the machines' files, and the owner's mark
	Accel     string        // "auto" (or empty), "kvm" or "qemu" (emulation)
	Machine   string        // the program gitd-machine
	SharedUID bool          // machines may run without ids of their own
	Link      jails.Link    // carries connections to linked apps; nil: no machine reaches another
	Bridge    bridge.Config // a network of libvirt for machines; without a range: each has one of its own
	Log       zerolog.Logger
}

// Driver implements fleet.Driver on one libvirt.
type Driver struct {
	machineFiles
	watches
	yard
	bed
	*jails.Wires
	Net *bridge.Net // nil: machines have networks of their own

	session  *session.Session
	strays   strays
	owner    owner
	home     string // the path of the state folder
	accel    string
	platform platform
	firmware string
	log      zerolog.Logger
	tune     func(*domain) // changes a domain before it is made, for measurements; nil: nothing

	capturing sync.Mutex // one copy at a time: each takes the disk's whole speed

	work sync.WaitGroup // what runs beside the event loop and asks libvirt
}

// New connects to libvirt and asks it once what it can do, so that the first push does not wait for that. It starts
// libvirt's event loop, which runs to the end of the process. So does the embedded driver, and a process can have only
// one state folder for it.
func New(ctx context.Context, cfg Config) (*Driver, error) {
	path, err := filepath.Abs(string(cfg.State))
	if err != nil {
		return nil, err
	}
	here, err := hostPlatform()
	if err != nil {
		return nil, err
	}
	d := &Driver{
		platform: here, owner: owner(path), home: path, log: cfg.Log,
		machineFiles: machineFiles{state: cfg.State, embedded: cfg.URI == "" || strings.HasPrefix(cfg.URI, "qemu:///embed")},
	}
	d.yard, d.bed = yard{d}, bed{d}
	uri := cfg.URI
	if uri == "" {
		uri = embedURI(cfg.State)
	}
	if uri, err = leave(ctx, d, uri, cfg); err != nil {
		return nil, err
	}
	if d.embedded {
		if d.qemu, err = prepareEmbedded(uri); err != nil {
			return nil, err
		}
		if err := d.qemu.reach(path); err != nil {
			return nil, err
		}
		d.qemu.shareKVM(cfg.Log)
	}
	if d.jails, err = jails.New(jails.Config{
		State: core.StateDir(path), Program: cfg.Machine, QEMU: here.qemu, User: d.qemu.name(), Embedded: d.embedded,
		There: d.there.Program(), Shared: cfg.SharedUID, Bridged: cfg.Bridge.Range.IsValid(), Log: cfg.Log,
	}); err != nil {
		return nil, err
	}
	d.Net = bridge.New(cfg.Bridge, path, func(ctx context.Context, f func(*libvirt.Connect) error) error {
		return d.session.With(ctx, func(l *session.Link) error { return f(l.Conn) })
	})
	d.Wires = jails.NewWires(d.jails, cfg.Link, d.Net)
	if err := session.StartEventLoop(cfg.Log, filepath.Join(core.StateDir(path).Libvirt(), "libvirt.log")); err != nil {
		return nil, fmt.Errorf("libvirt's event loop: %w", err)
	}
	if err := open(ctx, d, uri); err != nil {
		return nil, err
	}
	if err := d.session.With(ctx, func(l *session.Link) error { return d.begin(ctx, l, cfg) }); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.work.Go(func() { d.Net.Tend(d.session.Context()) })
	return d, nil
}

// open begins the session of d.
func open(ctx context.Context, d *Driver, uri string) (err error) {
	d.session, err = session.Open(ctx, session.Config{
		URI: uri, Daemon: !d.embedded, Log: d.log, Lifecycle: d.lifecycle, Lost: d.unsee, Resume: d.resume,
	})
	return err
}

// begin finds out what libvirt can do, refuses what cannot work, and removes what ended machines have left.
func (d *Driver) begin(ctx context.Context, l *session.Link, cfg Config) (err error) {
	if err := d.takeOver(ctx, cfg.URI); err != nil {
		return err
	}
	see := func(accel string) error {
		if d.embedded || d.there != nil {
			return nil
		}
		return sight.Sight{URI: d.session.URI, State: core.StateDir(d.home), Accel: accel, Arch: d.platform.Arch, Machine: d.platform.Machine}.Check(l)
	}
	if d.accel, err = d.chooseAccel(l, cfg.Accel); err != nil {
		return cmp.Or(see(accelQEMU), err) // gitd-machine may be missing because the folder is
	}
	if err := see(d.accel); err != nil {
		return err
	}
	if err := d.Net.Begin(l.Conn); err != nil {
		return err
	}
	d.remember(cfg.URI, d.log)
	d.firmware = d.platform.firmware(d.session.URI)
	return d.sweep(l)
}

// sweep removes the files of machines that ended while no gitd ran, for example together with the host, and ends those
// that run without walls: an older gitd has started them.
func (d *Driver) sweep(l *session.Link) error {
	folders, err := os.ReadDir(d.state.Machines())
	if err != nil {
		return err
	}
	var running []string
	for _, f := range folders {
		dom, _, err := d.owner.find(l, f.Name())
		if err == nil {
			running = append(running, f.Name())
			err = d.jails.Adopt(f.Name())
			if errors.Is(err, os.ErrNotExist) {
				d.log.Warn().Err(err).Str("machine", f.Name()).Msg("ended: an older gitd has started it without walls, or one with another network")
				err = errors.Join(destroy(dom), core.ErrNotFound)
			}
			free(dom)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, core.ErrNotFound) {
			return err
		}
		if err := d.removeFilesOf(f.Name()); err != nil {
			return err
		}
	}
	return d.there.Keep(d.session.Context(), running)
}

// Accel is how machines run: "kvm" or "qemu" (emulation).
func (d *Driver) Accel() string { return d.accel }

// Away says why libvirt cannot be reached, and since when. An empty text says that it can.
func (d *Driver) Away() (why string, since time.Time) {
	if why, since = d.session.Away(); why == "" {
		return d.there.Away()
	}
	return why, since
}

// Capacity is what the host has on which machines run; zero fields are not known.
func (d *Driver) Capacity() (r core.Resources) {
	err := d.session.With(context.Background(), func(l *session.Link) error {
		info, err := l.Conn.GetNodeInfo()
		if err == nil {
			r = core.Resources{MemoryMiB: int(info.Memory >> 10), CPUs: int(info.Cpus)}
		}
		return err
	})
	if err != nil {
		d.log.Debug().Err(err).Msg("libvirt does not say what its host has")
	}
	return r
}

// Close stops watching the machines and closes the connection to libvirt. The machines go on.
func (d *Driver) Close() error {
	err := end(d)
	d.there.Close()
	return err
}

// end is Close without the way to another host, which the requests of this process still go.
func end(d *Driver) error {
	d.there.Settle()
	d.session.Settle() // no machine is found again from now on
	d.letGo()
	d.work.Wait()
	return d.session.Close()
}

// List implements fleet.Driver.
func (d *Driver) List(ctx context.Context) (ours []core.Machine, err error) {
	err = d.session.With(ctx, func(l *session.Link) (err error) {
		ours, err = d.owner.list(l.Conn, d.log)
		return err
	})
	return ours, err
}

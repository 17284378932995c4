package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Config says where machines run.
type Config struct {
	URI   string        // libvirt's; empty: the QEMU driver within this process, rooted at State.Libvirt()
	State core.StateDir // for the machines' files, and the owner's mark
	Accel string        // "auto" (or empty), "kvm" or "qemu" (emulation)
	Log   zerolog.Logger
}

// Driver implements fleet.Driver on one libvirt connection.
type Driver struct {
	machineFiles
	watches

	conn     *libvirt.Connect
	callback *int   // what subscribe has registered; nil: nothing
	owner    string // marks the domains of this gitd: the path of its state folder
	accel    string
	platform platform
	firmware string
	log      zerolog.Logger
	tune     func(*domain) // changes a domain before it is made, for measurements; nil: nothing

	work sync.WaitGroup // what runs beside the event loop and uses conn
}

// New connects to libvirt and asks it once what it can do, so that the first push does not wait for that. It starts
// libvirt's event loop, which runs to the end of the process. So does the embedded driver, and a process can have only
// one state folder for it.
func New(ctx context.Context, cfg Config) (*Driver, error) {
	owner, err := filepath.Abs(string(cfg.State))
	if err != nil {
		return nil, err
	}
	here, err := hostPlatform()
	if err != nil {
		return nil, err
	}
	d := &Driver{
		platform: here, owner: owner, log: cfg.Log,
		machineFiles: machineFiles{state: cfg.State, embedded: cfg.URI == "" || strings.HasPrefix(cfg.URI, "qemu:///embed")},
	}
	uri := cfg.URI
	if uri == "" {
		uri = embedURI(cfg.State)
	}
	if d.embedded {
		if d.qemu, err = prepareEmbedded(uri); err != nil {
			return nil, err
		}
		if err := d.qemu.reach(owner); err != nil {
			return nil, err
		}
		d.qemu.shareKVM(cfg.Log)
	}
	if err := startEventLoop(cfg.Log, filepath.Join(core.StateDir(owner).Libvirt(), "libvirt.log")); err != nil {
		return nil, fmt.Errorf("libvirt's event loop: %w", err)
	}
	if d.conn, err = connect(ctx, uri); err != nil {
		return nil, err
	}
	if err := d.takeOver(ctx, cfg.URI); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.attach(uri, cfg.Accel); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// attach registers for the events of the connection, finds out what libvirt can do, and removes what ended machines
// have left.
func (d *Driver) attach(uri, accel string) (err error) {
	if err := d.subscribe(); err != nil {
		return err
	}
	if !d.embedded {
		d.watchConnection()
	}
	if d.accel, err = d.chooseAccel(uri, accel); err != nil {
		return err
	}
	d.firmware = d.platform.firmware(uri)
	return d.sweep()
}

// sweep removes the files of machines that ended while no gitd ran, for example together with the host.
func (d *Driver) sweep() error {
	folders, err := os.ReadDir(d.state.Machines())
	if err != nil {
		return err
	}
	for _, f := range folders {
		dom, _, err := d.find(f.Name())
		if err == nil {
			free(dom)
			continue
		}
		if !errors.Is(err, core.ErrNotFound) {
			return err
		}
		if err := d.removeFilesOf(f.Name()); err != nil {
			return err
		}
	}
	return nil
}

// subscribe registers lifecycle for the events of all domains.
func (d *Driver) subscribe() error {
	id, err := d.conn.DomainEventLifecycleRegister(nil, func(_ *libvirt.Connect, dom *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
		if name, err := dom.GetName(); err == nil {
			d.lifecycle(name, e)
		}
	})
	if err != nil {
		return fmt.Errorf("libvirt's lifecycle events: %w", err)
	}
	d.callback = &id
	return nil
}

// watchConnection logs that the connection to a libvirt daemon is lost.
func (d *Driver) watchConnection() {
	err := d.conn.RegisterCloseCallback(func(_ *libvirt.Connect, reason libvirt.ConnectCloseReason) {
		if reason != libvirt.CONNECT_CLOSE_REASON_CLIENT {
			d.log.Error().Int("reason", int(reason)).Msg("the connection to libvirt is lost; machines go on, restart gitd to see them again")
		}
	})
	if err != nil {
		d.log.Debug().Err(err).Msg("libvirt does not report a lost connection")
	}
}

// Accel is how machines run: "kvm" or "qemu" (emulation).
func (d *Driver) Accel() string { return d.accel }

// Capacity is what the host has on which machines run; zero fields are not known.
func (d *Driver) Capacity() core.Resources {
	info, err := d.conn.GetNodeInfo()
	if err != nil {
		d.log.Debug().Err(err).Msg("libvirt does not say what its host has")
		return core.Resources{}
	}
	return core.Resources{MemoryMiB: int(info.Memory >> 10), CPUs: int(info.Cpus)}
}

// Close stops watching the machines and closes the connection to libvirt. The machines go on.
func (d *Driver) Close() error {
	d.letGo()
	d.work.Wait()
	var err error
	if d.callback != nil {
		err = d.conn.DomainEventDeregister(*d.callback)
	}
	if _, closeErr := d.conn.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return err
}

// List implements fleet.Driver.
func (d *Driver) List(context.Context) ([]core.Machine, error) {
	domains, err := d.conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	var ours []core.Machine
	for _, dom := range domains {
		m, err := d.mark(&dom)
		if err == nil {
			ours = append(ours, m)
		} else if !errors.Is(err, core.ErrNotFound) {
			d.log.Warn().Err(err).Msg("domain cannot be read")
		}
		free(&dom)
	}
	return ours, nil
}

// find returns a running domain of this gitd, or core.ErrNotFound. The caller frees it.
func (d *Driver) find(id string) (*libvirt.Domain, core.Machine, error) {
	dom, err := d.conn.LookupDomainByName(id)
	if isCode(err, libvirt.ERR_NO_DOMAIN) {
		return nil, core.Machine{}, fmt.Errorf("machine %s: %w", id, core.ErrNotFound)
	}
	if err != nil {
		return nil, core.Machine{}, fmt.Errorf("machine %s: %w", id, err)
	}
	m, err := d.mark(dom)
	if err != nil {
		free(dom)
		return nil, m, fmt.Errorf("machine %s: %w", id, err)
	}
	return dom, m, nil
}

func isCode(err error, code libvirt.ErrorNumber) bool {
	var e libvirt.Error
	return errors.As(err, &e) && e.Code == code
}

// free drops a reference, which can fail for an invalid one only.
func free(dom *libvirt.Domain) { dom.Free() } //nolint:errcheck // only an invalid one fails

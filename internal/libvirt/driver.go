package libvirt

import (
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

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
)

// Config says where machines run.
type Config struct {
	URI   string        // libvirt's; empty: the QEMU driver within this process, rooted at State.Libvirt()
	State core.StateDir // for the machines' files, and the owner's mark
	Accel string        // "auto" (or empty), "kvm" or "qemu" (emulation)
	Log   zerolog.Logger
}

// Driver implements fleet.Driver on one libvirt.
type Driver struct {
	machineFiles
	watches

	session  *session
	strays   strays
	owner    string // marks the domains of this gitd: the path of its state folder
	accel    string
	platform platform
	firmware string
	log      zerolog.Logger
	tune     func(*domain) // changes a domain before it is made, for measurements; nil: nothing

	work sync.WaitGroup // what runs beside the event loop and asks libvirt
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
	if err := d.connect(ctx, uri); err != nil {
		return nil, err
	}
	if err := d.session.with(ctx, func(l *link) error { return d.begin(ctx, l, cfg) }); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// connect begins the session.
func (d *Driver) connect(ctx context.Context, uri string) error {
	d.session = &session{
		uri: uri, daemon: !d.embedded, log: d.log, work: background.New(),
		lifecycle: d.lifecycle, lost: d.lose, resume: d.resume,
	}
	return d.session.open(ctx)
}

// begin finds out what libvirt can do, refuses what cannot work, and removes what ended machines have left.
func (d *Driver) begin(ctx context.Context, l *link, cfg Config) (err error) {
	if err := d.takeOver(ctx, cfg.URI); err != nil {
		return err
	}
	if d.accel, err = d.chooseAccel(l, cfg.Accel); err != nil {
		return err
	}
	if !d.embedded {
		if err := d.checkSight(l); err != nil {
			return err
		}
	}
	d.remember(cfg.URI)
	d.firmware = d.platform.firmware(d.session.uri)
	return d.sweep(l)
}

// sweep removes the files of machines that ended while no gitd ran, for example together with the host.
func (d *Driver) sweep(l *link) error {
	folders, err := os.ReadDir(d.state.Machines())
	if err != nil {
		return err
	}
	for _, f := range folders {
		dom, _, err := d.find(l, f.Name())
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

// Accel is how machines run: "kvm" or "qemu" (emulation).
func (d *Driver) Accel() string { return d.accel }

// Away says why libvirt cannot be reached, and since when. An empty text says that it can.
func (d *Driver) Away() (why string, since time.Time) { return d.session.away() }

// Capacity is what the host has on which machines run; zero fields are not known.
func (d *Driver) Capacity() (r core.Resources) {
	err := d.session.with(context.Background(), func(l *link) error {
		info, err := l.conn.GetNodeInfo()
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
	d.session.work.Close() // no machine is found again from now on
	d.letGo()
	d.work.Wait()
	return d.session.close()
}

// List implements fleet.Driver.
func (d *Driver) List(ctx context.Context) (ours []core.Machine, err error) {
	err = d.session.with(ctx, func(l *link) (err error) {
		ours, err = list(l.conn, d.owner, d.log)
		return err
	})
	return ours, err
}

// list returns the machines of an owner.
func list(conn *libvirt.Connect, owner string, log zerolog.Logger) ([]core.Machine, error) {
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	var ours []core.Machine
	for _, dom := range domains {
		m, err := mark(&dom, owner)
		if err == nil {
			ours = append(ours, m)
		} else if !errors.Is(err, core.ErrNotFound) {
			log.Warn().Err(err).Msg("domain cannot be read")
		}
		free(&dom)
	}
	return ours, nil
}

// find returns a running domain of this gitd, or core.ErrNotFound. The caller frees it.
func (d *Driver) find(l *link, id string) (*libvirt.Domain, core.Machine, error) {
	dom, err := l.conn.LookupDomainByName(id)
	if isCode(err, libvirt.ERR_NO_DOMAIN) {
		return nil, core.Machine{}, fmt.Errorf("machine %s: %w", id, core.ErrNotFound)
	}
	if err != nil {
		return nil, core.Machine{}, fmt.Errorf("machine %s: %w", id, err)
	}
	m, err := mark(dom, d.owner)
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

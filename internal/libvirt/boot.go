package libvirt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Boot implements fleet.Driver.
func (d *Driver) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	start, err := startMessage(spec)
	if err != nil {
		return core.Machine{}, err
	}
	m := newMachine(spec.ID, w, d.console(spec.ID), d.log)
	m.start, m.paused = start, func() bool { return d.isPaused(spec.ID) }
	if err := d.add(m); err != nil {
		return core.Machine{}, err
	}
	var got core.Machine
	err = d.session.With(ctx, func(l *session.Link) (err error) {
		d.strays.add(spec.ID) // for a later connection; this one looks after it
		got, err = d.boot(ctx, l, spec, m)
		if err == nil || !l.Dead() {
			d.strays.drop(spec.ID)
		}
		return err
	})
	if err != nil {
		d.forget(m)
		m.leave()
		return core.Machine{}, errors.Join(fmt.Errorf("boot machine %s: %w", spec.ID, session.Plain(err)), d.removeFiles(spec.ID))
	}
	return got, nil
}

func (d *Driver) boot(ctx context.Context, l *session.Link, spec core.MachineSpec, m *machine) (core.Machine, error) {
	if err := errors.Join(d.makeFiles(spec.ID), d.shareVolumes(spec.Disks)); err != nil {
		return core.Machine{}, err
	}
	place, err := d.jails.Make(spec)
	if err != nil {
		return core.Machine{}, err
	}
	dom, err := d.create(l, spec, place, m)
	if err != nil {
		return core.Machine{}, err
	}
	m.running = time.Now()
	defer free(dom)
	c, err := openChannel(l.Conn, dom)
	if err == nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), c.Close())
	}
	if err != nil {
		return core.Machine{}, errors.Join(err, destroy(dom))
	}
	m.connect(c, d.forget)
	d.Hear(ctx, m.id, spec.App, m.tell, [2]<-chan struct{}{m.gone, m.left})
	if l.Over() { // perhaps before m had a channel to give up
		return core.Machine{}, session.ErrLost
	}
	return core.Machine{ID: spec.ID, App: spec.App, Release: spec.Release, Addr: place.Door, Started: m.since}, nil
}

// create starts the domain.
func (d *Driver) create(l *session.Link, spec core.MachineSpec, place jails.Place, m *machine) (*libvirt.Domain, error) {
	machine := d.domain(spec, place, m.since)
	if d.tune != nil {
		d.tune(&machine)
	}
	text, err := machine.xml()
	if err != nil {
		return nil, err
	}
	m.start.Network = wire.Network()
	return l.Conn.DomainCreateXML(text, 0)
}

// startMessage checks spec and returns the message that tells the guest what to do.
func startMessage(spec core.MachineSpec) (*guest.Start, error) {
	if err := checkSpec(spec); err != nil {
		return nil, fmt.Errorf("boot machine %q: %w", spec.ID, err)
	}
	s := &guest.Start{Args: spec.Args, Port: spec.Port, Hostname: spec.Hostname, UnixNano: time.Now().UnixNano()}
	for _, m := range spec.Mounts {
		s.Mounts = append(s.Mounts, guest.Mount(m))
	}
	s.Env = core.Environ(spec.Env)
	for _, p := range spec.Steps {
		s.Steps = append(s.Steps, guest.Step{
			Name: p.Name, Args: p.Args, Env: core.Environ(p.Env), Dir: p.Dir, OK: p.OK, Fail: p.Fail,
		})
	}
	if t := spec.Task; t != nil {
		s.Task = &guest.Task{Attached: t.Attached, Terminal: (*guest.Size)(t.Terminal), LimitMillis: t.Limit.Milliseconds()}
	}
	// The network is added to the message later, and is small.
	if _, err := guest.Encode(guest.Message{Kind: guest.KindStart, Start: s}); err != nil {
		return nil, fmt.Errorf("boot machine %s: arguments and config: %w", spec.ID, err)
	}
	return s, nil
}

func checkSpec(spec core.MachineSpec) error {
	switch {
	case !machineID.MatchString(spec.ID):
		return errors.New("the id is not made of lower-case letters, digits and '-'")
	case spec.MemoryMiB <= 0 || spec.CPUs <= 0:
		return fmt.Errorf("%s of memory and %d CPUs are not enough", units.Bytes(int64(spec.MemoryMiB)<<20), spec.CPUs)
	case len(spec.Disks) == 0 || len(spec.Disks) > guest.MaxDisks:
		return fmt.Errorf("%d disks; there must be 1 to %d", len(spec.Disks), guest.MaxDisks)
	case spec.Port < 0 || spec.Port > 65535 || spec.Port == 0 && spec.Task == nil:
		return fmt.Errorf("port %d is none", spec.Port)
	}
	paths := []string{spec.Kernel}
	for _, disk := range spec.Disks {
		paths = append(paths, disk.Path)
	}
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			return fmt.Errorf("path %q is not absolute", p)
		}
	}
	return checkSerials(spec)
}

// checkSerials checks that the guest will find each disk, and a writable disk for each mount.
func checkSerials(spec core.MachineSpec) error {
	writable := map[string]bool{}
	for _, disk := range spec.Disks {
		if _, twice := writable[disk.Serial]; twice || disk.Serial == "" || len(disk.Serial) > guest.MaxSerial {
			return fmt.Errorf("disk serial %q: it must be the only one, of 1 to %d bytes", disk.Serial, guest.MaxSerial)
		}
		writable[disk.Serial] = disk.Writable
	}
	for _, m := range spec.Mounts {
		if !writable[m.Serial] {
			return fmt.Errorf("there is no writable disk %q to mount at %s", m.Serial, m.Path)
		}
	}
	return nil
}

// lifecycle is called by the event loop for every domain of the connection.
func (d *Driver) lifecycle(id string, e *libvirt.DomainEventLifecycle) {
	m := d.watched(id)
	if m == nil {
		return
	}
	switch e.Event {
	case libvirt.DOMAIN_EVENT_SUSPENDED:
		if libvirt.DomainEventSuspendedDetailType(e.Detail) == libvirt.DOMAIN_EVENT_SUSPENDED_IOERROR {
			d.work.Go(func() { d.outOfRoom(m) })
		}
	case libvirt.DOMAIN_EVENT_RESUMED:
		m.tellTime()
	case libvirt.DOMAIN_EVENT_SHUTDOWN:
		m.powerOff()
	case libvirt.DOMAIN_EVENT_STOPPED, libvirt.DOMAIN_EVENT_CRASHED:
		m.end(ending{event: e.Event, detail: e.Detail})
	}
}

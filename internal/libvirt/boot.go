package libvirt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/hibernate"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
	"github.com/nodeos-dev/gitd/internal/libvirt/slots"
	"github.com/nodeos-dev/gitd/internal/libvirt/specs"
)

// Boot implements fleet.Driver.
func (d *Driver) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	said, err := startMessage(spec)
	if err != nil {
		return core.Machine{}, err
	}
	return start(ctx, d, spec, said, nil, w)
}

// start is Boot with its message to the guest; nil: none, it is a spare machine, or one that load gives its state.
func start(
	ctx context.Context, d *Driver, spec core.MachineSpec, said *guest.Start, load func(*libvirt.Domain) error, w core.Watch,
) (core.Machine, error) {
	m := newMachine(spec.ID, w, d.console(spec.ID), d.log)
	m.load, m.booted, m.greeting = load, load != nil, load != nil
	m.start, m.paused = said, func() bool { return d.isPaused(spec.ID) }
	if err := d.there.Bring(ctx, spec); err != nil {
		return core.Machine{}, err
	}
	if err := d.add(m); err != nil {
		return core.Machine{}, err
	}
	var got core.Machine
	err := d.session.With(ctx, func(l *session.Link) (err error) {
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
	err := errors.Join(d.makeFiles(spec.ID), d.shareVolumes(spec.Disks))
	if err == nil && m.start == nil {
		err = slots.Make(spec.Disks)
	}
	if err != nil {
		return core.Machine{}, err
	}
	place, err := d.jails.Make(spec)
	if err == nil {
		place, err = prepare(ctx, d.there, spec.ID, place)
	}
	if err != nil {
		return core.Machine{}, err
	}
	dom, door, err := d.create(l, spec, place, m)
	if err != nil {
		return core.Machine{}, err
	}
	m.running = time.Now()
	defer free(dom)
	c, err := openLoaded(l, dom, m.load)
	if err == nil && ctx.Err() != nil {
		err = errors.Join(ctx.Err(), c.Close())
	}
	if err != nil {
		return core.Machine{}, errors.Join(err, destroy(dom))
	}
	m.connect(c, d.forget)
	if m.load != nil {
		greetRestored(m)
	}
	if m.start != nil || m.load != nil { // of a spare machine, Hand hears
		d.Hear(ctx, m.id, spec.App, &spec.Egress, m.tell, [2]<-chan struct{}{m.gone, m.left})
	}
	if l.Over() { // perhaps before m had a channel to give up
		return core.Machine{}, session.ErrLost
	}
	return core.Machine{ID: spec.ID, App: spec.App, Release: spec.Release, Addr: door, Started: m.since}, nil
}

// create starts the domain.
func (d *Driver) create(l *session.Link, spec core.MachineSpec, place jails.Place, m *machine) (dom *libvirt.Domain, door string, err error) {
	plug, made, err := d.Net.Plug(l.Conn, spec)
	if err != nil {
		return nil, "", err
	}
	defer made()
	if m.start != nil {
		m.start.Network = plug.Guest
	}
	machine, flags := d.domain(spec, place, m.since), libvirt.DOMAIN_NONE
	if m.load != nil {
		machine.Incoming, flags = hibernate.Incoming, libvirt.DOMAIN_START_PAUSED
	}
	machine.Plug, machine.Door = plug, plug.Door(place.Door, spec.Port)
	settle(d.there, &machine)
	if d.tune != nil {
		d.tune(&machine)
	}
	text, err := machine.xml()
	if err == nil {
		dom, err = l.Conn.DomainCreateXML(text, flags)
	}
	return dom, machine.Door, err
}

// startMessage checks spec and returns the message that tells the guest what to do.
func startMessage(spec core.MachineSpec) (*guest.Start, error) {
	if err := specs.Check(spec); err != nil {
		return nil, fmt.Errorf("boot machine %q: %w", spec.ID, err)
	}
	s := &guest.Start{
		Args: spec.Args, Port: spec.Port, Hostname: spec.Hostname, UnixNano: time.Now().UnixNano(),
	}
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
	if _, err := guest.Encode(guest.Message{Kind: guest.KindStart, Start: s}); err != nil {
		return nil, fmt.Errorf("boot machine %s: arguments and config: %w", spec.ID, err)
	}
	return s, nil
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

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
	"github.com/nodeos-dev/gitd/internal/libvirt/slots"
	"github.com/nodeos-dev/gitd/internal/libvirt/specs"
	"github.com/nodeos-dev/gitd/internal/units"
)

// yard is the part of a Driver that knows of machines that serve nobody: without an app, or paused.
type yard struct{ d *Driver }

// Spare implements spare.Driver.
func (y yard) Spare(ctx context.Context, spec core.MachineSpec, w core.Watch) error {
	if Elsewhere(y.d) {
		return core.Reject("machines of another host cannot wait for their app", "leave out --spares")
	}
	for _, serial := range []string{guest.DiskApp, guest.DiskDeps} {
		spec.Disks = append(spec.Disks, core.Disk{Serial: guest.Slot(serial), Path: y.d.slot(spec.ID)(serial)})
	}
	if err := specs.Check(spec); err != nil {
		return err
	}
	_, err := start(ctx, y.d, spec, nil, nil, w)
	return err
}

// slot returns where the file of a slot of a machine is.
func (f machineFiles) slot(id string) func(serial string) string {
	return func(serial string) string { return filepath.Join(f.state.Machine(id), guest.Slot(serial)) }
}

// Hand implements spare.Driver.
func (y yard) Hand(ctx context.Context, id string, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	d, called := y.d, time.Now()
	start, err := startMessage(spec)
	m := d.watched(id)
	if err != nil || m == nil {
		return core.Machine{}, errors.Join(err, fmt.Errorf("spare machine %s: %w", id, core.ErrNotFound))
	}
	var got core.Machine
	err = d.session.With(ctx, func(l *session.Link) error {
		dom, found, err := d.owner.find(l, id)
		if err != nil {
			return err
		}
		defer free(dom)
		start.Disks, err = slots.Fill(dom, spec.Disks, d.slot(id))
		if err == nil {
			start.Network, err = d.Net.Of(dom)
		}
		if err != nil {
			return err
		}
		got = core.Machine{ID: id, App: spec.App, Release: spec.Release, Addr: found.Addr, Started: called}
		return d.owner.hand(dom, got)
	})
	if err != nil {
		return core.Machine{}, session.Plain(err)
	}
	d.Hear(ctx, id, spec.App, &spec.Egress, m.tell, [2]<-chan struct{}{m.gone, m.left})
	if err := d.Restrict(ctx, id, spec.Egress); err != nil {
		return core.Machine{}, err
	}
	return got, become(m, start, w, called)
}

// become tells the guest of a spare machine what it is. From then on w is told what happens.
func become(m *machine, start *guest.Start, w core.Watch, called time.Time) error {
	m.telling.Lock()
	defer m.telling.Unlock()
	if latch.Closed(m.gone) || !m.booted || m.start != nil {
		return fmt.Errorf("spare machine %s: %w", m.id, core.ErrNotFound)
	}
	up := called.Sub(m.since)
	m.watch, m.start, m.since, m.begun = w, start, called, false
	m.begin()
	m.event(core.Event{
		Kind: core.EventBooted, Detail: "a spare machine, which had been up for " + units.Took(up), Boot: m.boot.Handed(called, time.Now()),
	})
	return nil
}

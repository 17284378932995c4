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
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// powerOffTime is what an emulated guest needs to power off, beyond the app's grace.
const powerOffTime = 5 * time.Second

// Adopt implements fleet.Driver.
func (d *Driver) Adopt(ctx context.Context, id string, w core.Watch) (got core.Machine, err error) {
	for range 2 { // a second time where libvirt went away meanwhile: a machine that is not adopted is replaced
		err = d.session.With(ctx, func(l *session.Link) (err error) {
			got, err = d.adopt(ctx, l, id, w)
			return err
		})
		if !errors.Is(err, session.ErrAway) {
			break
		}
	}
	return got, err
}

func (d *Driver) adopt(ctx context.Context, l *session.Link, id string, w core.Watch) (core.Machine, error) {
	dom, got, err := d.owner.find(l, id)
	if err != nil {
		return got, err
	}
	defer free(dom)
	if info, err := dom.GetInfo(); err == nil {
		got.Resources = core.Resources{MemoryMiB: int(info.MaxMem >> 10), CPUs: int(info.NrVirtCpu)}
	}
	m := newMachine(id, w, d.console(id), d.log)
	m.since, m.booted, m.greeting = got.Started, true, true
	m.paused = func() bool { return d.isPaused(id) }
	if err := d.add(m); err != nil {
		return got, err
	}
	err = d.greet(l, dom, m)
	if err = errors.Join(err, hibernate.GoOn(dom)); err != nil {
		d.forget(m)
		m.leave()
		return got, fmt.Errorf("adopt machine %s: %w", id, err)
	}
	d.Hear(ctx, id, got.App, nil, m.tell, [2]<-chan struct{}{m.gone, m.left})
	return got, nil
}

// greet opens the channel of a machine that runs, and asks for its state.
func (d *Driver) greet(l *session.Link, dom *libvirt.Domain, m *machine) error {
	if err := d.dropStaleLock(m.id); err != nil {
		return err
	}
	if err := d.there.Reach(d.session.Context(), m.id); err != nil {
		return err
	}
	c, err := openChannel(l, dom)
	if err != nil {
		return err
	}
	full := stopped(dom) // asked now: the connection is the channel's from here on
	m.connect(c, d.forget)
	if l.Over() { // perhaps before m had a channel to give up
		return session.ErrLost
	}
	if full {
		d.work.Go(func() { d.outOfRoom(m) })
	}
	// A guest that does not answer hangs, or does not understand this gitd.
	m.pulse.Start(m.hungAfter(int(guest.BeatPeriod.Milliseconds())), m.hung)
	return m.write(guest.Message{Kind: guest.KindHello})
}

// Stop implements fleet.Driver.
func (d *Driver) Stop(ctx context.Context, id string, grace time.Duration) error {
	err := d.session.With(ctx, func(l *session.Link) error {
		dom, _, err := d.owner.find(l, id)
		if err == nil {
			free(dom)
		}
		return err
	})
	if errors.Is(err, core.ErrNotFound) {
		return d.removeFilesOf(id)
	}
	if err != nil {
		return err
	}
	if grace > 0 {
		if err := d.ask(ctx, id, grace); err != nil {
			d.log.Warn().Err(err).Str("machine", id).Msg("machine does not power off, and is ended")
		}
	}
	// libvirt may have gone away and come back since.
	if err := d.session.With(ctx, func(l *session.Link) error { return d.owner.remove(l, id) }); err != nil {
		return fmt.Errorf("stop machine %s: %w", id, session.Plain(err))
	}
	return d.removeFilesOf(id)
}

// ask asks the guest to power off, and waits until it has, or until its time is over.
func (d *Driver) ask(ctx context.Context, id string, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+powerOffTime)
	defer cancel()
	m := d.watched(id)
	if m == nil {
		if _, err := d.Adopt(ctx, id, func(core.Event) {}); err != nil {
			return err
		}
		if m = d.watched(id); m == nil {
			return nil // it has just ended
		}
	}
	sent := make(chan error, 1)
	go func() {
		sent <- m.write(guest.Message{Kind: guest.KindStop, Stop: &guest.Stop{GraceMillis: int(grace.Milliseconds())}})
	}()
	for {
		select {
		case err := <-sent:
			if err != nil {
				return fmt.Errorf("ask it to stop: %w", err)
			}
			sent = nil
		case <-m.powered:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

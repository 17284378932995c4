package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/libvirt/hibernate"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
	"github.com/nodeos-dev/gitd/internal/libvirt/specs"
)

// bed is the part of a Driver that knows of machines that sleep.
type bed struct{ d *Driver }

// Save implements sleep.Driver.
func (b bed) Save(ctx context.Context, id string, to io.WriteCloser) (serials []string, err error) {
	if b.d.Net != nil || b.d.there != nil {
		return nil, core.Reject("machines on a network of libvirt, or on another host, do not sleep",
			"their guest would go on with an address that is another's by then, and no pipe leads to another host")
	}
	err = b.d.session.With(ctx, func(l *session.Link) error {
		dom, _, err := b.d.owner.find(l, id)
		if err != nil {
			return err
		}
		defer free(dom)
		if serials, err = hibernate.Serials(dom); err != nil {
			return err
		}
		if err := dom.Suspend(); err != nil {
			return err
		}
		err = hibernate.Out(ctx, dom, to)
		if err == nil {
			err = to.Close()
		}
		if err != nil && hibernate.GoOn(dom) != nil {
			b.d.work.Go(func() { b.goOn(id) })
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("save machine %s: %w", id, session.Plain(err))
	}
	return serials, nil
}

// goOn has a machine go on that was not saved, when libvirt is back.
func (b bed) goOn(id string) {
	for m := b.d.watched(id); m != nil && !latch.Closed(m.gone) && !latch.Closed(m.left); {
		if err := yard(b).with(b.d.session.Context(), "resume", id, hibernate.GoOn); !errors.Is(err, session.ErrAway) {
			return
		}
	}
}

// Restore implements sleep.Driver.
func (b bed) Restore(ctx context.Context, spec core.MachineSpec, serials []string, from io.Reader, w core.Watch) (core.Machine, error) {
	var err error
	if spec.Disks, err = hibernate.Disks(spec.Disks, serials, b.d.slot(spec.ID)(guest.DiskDeps)); err == nil {
		err = specs.Check(spec)
	}
	if err != nil {
		return core.Machine{}, fmt.Errorf("restore machine %s: %w", spec.ID, err)
	}
	load := func(dom *libvirt.Domain) error {
		if err := hibernate.In(ctx, dom, from); err != nil {
			return err
		}
		return dom.Resume()
	}
	got, err := start(ctx, b.d, spec, nil, load, w)
	if m := b.d.watched(spec.ID); err == nil && m != nil { // the guest says so too, when it comes to it
		m.tell(core.Event{Kind: core.EventBooted, Detail: "it goes on where it was saved"})
		m.tell(core.Event{Kind: core.EventListening})
	}
	return got, err
}

// greetRestored asks the guest of a restored machine for its state, and tells it the time.
func greetRestored(m *machine) {
	m.pulse.Start(m.hungAfter(int(guest.BeatPeriod.Milliseconds())), m.hung)
	m.tellTime()
	m.send(guest.Message{Kind: guest.KindHello})
}

// openLoaded opens the channel of a machine that has just been made, once it has its state.
func openLoaded(l *session.Link, dom *libvirt.Domain, load func(*libvirt.Domain) error) (*channel, error) {
	if load != nil {
		if err := load(dom); err != nil {
			return nil, err
		}
	}
	return openChannel(l, dom)
}

// Host implements sleep.Saver: how a machine is made, whichever gitd does it, the QEMU, and the processor.
func (b bed) Host() string {
	sample := core.MachineSpec{Initrd: "initrd", Disks: []core.Disk{{Serial: guest.DiskBase}, {Serial: guest.DiskApp, Writable: true}}}
	text, err := b.d.domain(sample, jails.Place{}, time.Time{}).xml()
	if err != nil {
		text = err.Error() // no machine boots either
	}
	return hibernate.Host(text, b.d.platform.qemu)
}

package engine

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// observed is a driver whose boots an observer is told of: of each one, when the machine is up, or has ended before.
type observed struct {
	fleet.Driver
	tell func(core.Transition)
}

// watched is d with its boots observed; observe may be nil.
func watched(d fleet.Driver, observe func(core.Transition)) fleet.Driver {
	if observe == nil {
		return d
	}
	return observed{d, observe}
}

// Boot implements fleet.Driver.
func (d observed) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	b := &boot{tell: d.tell, spec: spec, seen: core.Boot{Process: spec.Process, Called: time.Now()}}
	m, err := d.Driver.Boot(ctx, spec, func(e core.Event) {
		w(e)
		b.watch(e)
	})
	if err != nil {
		b.over(err.Error())
	} else {
		b.is.Store(&m.ID)
	}
	return m, err
}

// boot is one boot, until it is over.
type boot struct {
	tell func(core.Transition)
	spec core.MachineSpec
	is   atomic.Pointer[string] // the id of the machine, if that is known to be another one than the id of spec
	once sync.Once
	seen core.Boot // whose times come with the events of the machine, one after the other
}

func (b *boot) watch(e core.Event) {
	if e.Boot != nil {
		b.seen.Times = *e.Boot
	}
	switch {
	case e.Kind == core.EventListening, e.Kind == core.EventBooted && !b.spec.Process.IsWeb():
		b.over("")
	case e.Kind == core.EventGone, e.Kind == core.EventHung:
		b.over(cmp.Or(e.Detail, "it has ended"))
	}
}

// over tells the observer how the boot went, once. Of a machine that is up, why is empty.
func (b *boot) over(why string) {
	b.once.Do(func() {
		seen, id := b.seen, b.spec.ID
		if is := b.is.Load(); is != nil {
			id = *is
		}
		b.tell(core.Transition{
			Moment: core.AtUp, App: b.spec.App, Release: b.spec.Release, Machine: id, Reason: why, Boot: &seen,
		})
	})
}

package quota

import (
	"context"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// gated is a driver whose machines pass the Gate.
type gated struct {
	fleet.Driver
	g *Gate
}

// Drive is d behind the Gate: what it boots has a place until it has ended. There must be no other way to d.
func (g *Gate) Drive(d fleet.Driver) fleet.Driver { return gated{d, g} }

// Boot implements fleet.Driver. A *core.Rejection says that there is no place.
func (d gated) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	if err := d.g.enter(ctx, placeOf(spec), spec.ID, spec.Resources); err != nil {
		return core.Machine{}, err
	}
	m, err := d.Driver.Boot(ctx, spec, d.watch(spec.ID, w))
	if err != nil {
		d.g.leave(spec.ID)
	} else {
		d.g.called(spec.ID, m.ID)
	}
	return m, err
}

// placeOf is the place of its process, and for a command beside the app, one of its own.
func placeOf(spec core.MachineSpec) key {
	if spec.Process == (core.ProcessID{}) {
		return key{spec.App, spec.ID}
	}
	return key{spec.App, spec.Process.String()}
}

// watch has the Gate told when the machine has ended.
func (d gated) watch(id string, w core.Watch) core.Watch {
	return func(e core.Event) {
		if e.Kind == core.EventGone {
			d.g.leave(id)
		}
		w(e)
	}
}

// Adopt implements fleet.Driver. What runs is not refused, and counts.
func (d gated) Adopt(ctx context.Context, id string, w core.Watch) (core.Machine, error) {
	return d.Driver.Adopt(ctx, id, d.watch(id, w))
}

// Adopted counts a machine that runs already. Its driver does not know which process it is.
func (g *Gate) Adopted(m core.Machine) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.put(key{m.App, m.Process.String()}, m.ID, m.Resources)
}

// Stop implements fleet.Driver.
func (d gated) Stop(ctx context.Context, id string, grace time.Duration) error {
	err := d.Driver.Stop(ctx, id, grace)
	if err == nil {
		d.g.leave(id)
	}
	return err
}

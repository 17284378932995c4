// Package warm keeps machines that a deployment has replaced, paused, so that a rollback need not boot.
//
// It owns which machines are kept, for how long, and which rollback gets one. It does not own when a machine is
// replaced, nor whether one that goes on is healthy (package fleet). A kept machine is not in the ledger and has no
// place on the host (package quota): it is over for everybody else, and gives way to each machine that boots.
package warm

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Pauser stops the processors of machines.
type Pauser interface {
	Pause(ctx context.Context, id string) error
	// Resume has a paused machine go on. Its watch is told EventBooted when the guest answers, and EventListening if
	// its app listens.
	Resume(ctx context.Context, id string) error
}

// Config is what a Pool works with.
type Config struct {
	For time.Duration // how long a machine is kept; 0: none is
	// Room reports whether the host has the memory for one more machine of this size.
	Room func(size core.Resources) bool
	Log  *slog.Logger
}

const (
	// mostOfProcess is how many machines of one process of an app are kept.
	mostOfProcess = 2
	// answerTime is for the guest of a machine that goes on to say something: then a machine is booted instead.
	answerTime = 10 * time.Second
	// closeTime is for the machines that are kept to end, when gitd does, and closeGrace the part of it that their apps
	// have, at the most: who ignores it is ended within the rest.
	closeTime  = 10 * time.Second
	closeGrace = 3 * time.Second
)

// Pool is a driver that pauses a machine instead of stopping it, if it was told to keep it. Its methods are safe for
// concurrent use.
type Pool struct {
	fleet.Driver
	pauser Pauser
	cfg    Config
	work   *background.Work

	mu       sync.Mutex
	machines map[string]*machine // by id: those that may be kept, and those that are
}

// New makes a Pool of the machines of d, which pauser pauses.
func New(d fleet.Driver, pauser Pauser, cfg Config) *Pool {
	return &Pool{Driver: d, pauser: pauser, cfg: cfg, work: background.New(), machines: map[string]*machine{}}
}

// Boot implements fleet.Driver. A machine that was kept has another id than spec has.
func (p *Pool) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	fit := p.cfg.For > 0 && keepable(spec)
	if fit && spec.Kept {
		if m := p.take(printOf(spec)); m != nil {
			got, err := p.resume(ctx, m, spec, w)
			if err == nil {
				return got, nil
			}
			p.cfg.Log.Warn("a machine that was kept does not go on", "app", spec.App, "machine", m.id, "error", err)
			p.drop(context.WithoutCancel(ctx), m, 0)
		}
	}
	p.MakeRoom(ctx, spec.Resources)
	if !fit {
		return p.Driver.Boot(ctx, spec, w)
	}
	m := newMachine(spec, w)
	got, err := p.Driver.Boot(ctx, spec, func(e core.Event) { m.tell(e, p.gone) })
	if err == nil {
		p.add(m, got)
	}
	return got, err
}

// add notes a machine that runs, unless it has ended already.
func (p *Pool) add(m *machine, got core.Machine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.id, m.addr, m.started = got.ID, got.Addr, got.Started
	if m.state != over {
		p.machines[m.id] = m
	}
}

// Keep has the next Stop of a machine of app keep it, if the host has the memory.
func (p *Pool) Keep(app, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.machines[id]; m != nil && m.state == runs {
		m.app, m.state = app, replaced
	}
}

// Unkeep takes Keep back.
func (p *Pool) Unkeep(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.machines[id]; m != nil && m.state == replaced {
		m.state = runs
	}
}

// End ends the machines of app that are kept, in the background, and takes each Keep of the app back.
func (p *Pool) End(app string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.machines {
		switch {
		case m.app != app:
		case m.state == replaced:
			m.state = runs
		case m.state == kept:
			p.work.Go(func(ctx context.Context) { p.end(ctx, m, "the app has changed") })
		}
	}
}

// Stop implements fleet.Driver. For its caller, a machine that is kept has ended.
func (p *Pool) Stop(ctx context.Context, id string, grace time.Duration) error {
	p.mu.Lock()
	m := p.machines[id]
	keep := m != nil && m.state == replaced
	p.mu.Unlock()
	if keep && p.keep(ctx, m, grace) {
		return nil
	}
	p.mu.Lock()
	delete(p.machines, id)
	p.mu.Unlock()
	return p.Driver.Stop(ctx, id, grace)
}

// keep pauses a machine, and reports whether it is kept.
func (p *Pool) keep(ctx context.Context, m *machine, grace time.Duration) bool {
	p.makePlace(ctx, m)
	if !p.MakeRoom(ctx, m.size) {
		p.cfg.Log.Info("a machine that was replaced is not kept: the host has no memory to spare", "app", m.app, "machine", m.id)
		return false
	}
	if err := p.pauser.Pause(ctx, m.id); err != nil {
		p.cfg.Log.Warn("a machine that was replaced is not kept", "app", m.app, "machine", m.id, "error", err)
		return false
	}
	if !p.paused(m, grace) {
		p.pauser.Resume(ctx, m.id) //nolint:errcheck // it is stopped: its app is asked first if it goes on
		return false
	}
	p.cfg.Log.Info("a machine that was replaced is kept", "app", m.app, "release", m.release, "machine", m.id, "for", p.cfg.For.String())
	return true
}

// paused notes that a machine is kept, unless it has ended meanwhile, or is not to be kept any more.
func (p *Pool) paused(m *machine, grace time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m.state != replaced {
		return false
	}
	m.state, m.since, m.grace = kept, time.Now(), grace
	m.timer = time.AfterFunc(p.cfg.For, func() {
		p.work.Go(func(ctx context.Context) { p.end(ctx, m, "its time is over") })
	})
	return true
}

// makePlace ends the oldest machines of the process of m, if as many are kept as may be.
func (p *Pool) makePlace(ctx context.Context, m *machine) {
	for {
		same := p.kept(func(k *machine) bool { return k.app == m.app && k.process == m.process })
		if len(same) < mostOfProcess {
			return
		}
		p.end(ctx, same[0], "newer ones are kept")
	}
}

// MakeRoom ends kept machines, the oldest first, until the host has the memory for a machine of this size. It reports
// whether it has.
func (p *Pool) MakeRoom(ctx context.Context, size core.Resources) bool {
	for !p.cfg.Room(size) {
		all := p.kept(func(*machine) bool { return true })
		if len(all) == 0 {
			return false
		}
		p.end(ctx, all[0], "its memory is wanted")
	}
	return true
}

// kept are the machines that are kept, the oldest first.
func (p *Pool) kept(which func(*machine) bool) (all []*machine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.machines {
		if m.state == kept && which(m) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *machine) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.id, b.id)) })
	return all
}

// Kept are the machines that are kept of an app, the oldest first; "": of all.
func (p *Pool) Kept(app string) (all []core.Kept) {
	for _, m := range p.kept(func(m *machine) bool { return app == "" || m.app == app }) {
		all = append(all, core.Kept{Until: m.since.Add(p.cfg.For), Machine: core.Machine{
			ID: m.id, App: m.app, Release: m.release, Process: m.process, Addr: m.addr, Started: m.started, Resources: m.size,
		}})
	}
	return all
}

// take returns the newest kept machine that is as a spec with this print, which is the caller's from then on; nil:
// there is none.
func (p *Pool) take(want print) *machine {
	all := p.kept(func(m *machine) bool { return m.print == want })
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range slices.Backward(all) {
		if m.state == kept {
			m.state = runs
			m.timer.Stop()
			return m
		}
	}
	return nil
}

// resume has a machine that was kept go on as one of spec.
func (p *Pool) resume(ctx context.Context, m *machine, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	if err := p.Restrict(ctx, m.id, spec.Egress); err != nil {
		return core.Machine{}, err
	}
	undo := m.becomes(w, fmt.Sprintf("resumed the machine of v%d, which was kept for %s", m.release, units.Took(time.Since(m.since))))
	if err := p.pauser.Resume(ctx, m.id); err != nil {
		undo()
		return core.Machine{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m.release = spec.Release
	return core.Machine{
		ID: m.id, App: spec.App, Release: spec.Release, Process: spec.Process, Addr: m.addr, Started: m.started, Kept: true,
	}, nil
}

// end ends a machine that is kept. It goes on before that, so that its app is told as any other that ends.
func (p *Pool) end(ctx context.Context, m *machine, why string) {
	p.mu.Lock()
	if m.state != kept {
		p.mu.Unlock()
		return
	}
	m.state = over
	m.timer.Stop()
	p.mu.Unlock()
	grace := m.grace
	if err := p.pauser.Resume(ctx, m.id); err != nil {
		grace = 0
	}
	p.drop(ctx, m, grace)
	p.cfg.Log.Info("a machine that was kept has ended", "app", m.app, "release", m.release, "machine", m.id, "reason", why)
}

// drop ends a machine that is of no use.
func (p *Pool) drop(ctx context.Context, m *machine, grace time.Duration) {
	if err := p.Driver.Stop(ctx, m.id, grace); err != nil {
		p.cfg.Log.Error("a machine that was kept does not end; the next start of gitd ends it", "machine", m.id, "error", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	m.state = over
	delete(p.machines, m.id)
}

// gone is told that a machine has ended.
func (p *Pool) gone(m *machine) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := m.state
	if m.state = over; was != kept {
		return // whoever it belongs to stops it
	}
	m.timer.Stop()
	p.cfg.Log.Warn("a machine that was kept is lost", "app", m.app, "machine", m.id)
	p.work.Go(func(ctx context.Context) { p.drop(ctx, m, 0) }) // what it leaves on the host
}

// List implements fleet.Driver: nobody else knows of the machines that are kept, or end after that.
func (p *Pool) List(ctx context.Context) ([]core.Machine, error) {
	all, err := p.Driver.List(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(all, func(m core.Machine) bool {
		known := p.machines[m.ID]
		return known != nil && known.state != runs && known.state != replaced
	}), err
}

// Leave ends no more machines. Those that are kept stay: the next gitd ends them.
func (p *Pool) Leave() { p.work.Close() }

// Close ends the machines that are kept. Others go on.
func (p *Pool) Close() {
	p.Leave()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	var all sync.WaitGroup
	for _, m := range p.kept(func(*machine) bool { return true }) {
		m.grace = min(m.grace, closeGrace)
		all.Go(func() { p.end(ctx, m, "gitd ends") })
	}
	all.Wait()
}

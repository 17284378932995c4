// Package spare keeps machines that are up before they have an app, and gives them to those that boot next.
//
// It owns which spare machines there are, of which shape, and who gets one. It does not own how a machine becomes an
// app's (Driver), nor who has a place on the host (package quota): a spare machine has none before it is somebody's.
package spare

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Driver runs machines that may begin without an app.
type Driver interface {
	fleet.Driver
	// Spare starts a machine without an app, a network and a secret. EventBooted says that it waits for its app.
	Spare(ctx context.Context, spec core.MachineSpec, w core.Watch) error
	// Hand makes a machine that waits the one of spec, which it keeps in all but its id; w is told EventBooted at once.
	// With an error the machine is of no more use.
	Hand(ctx context.Context, id string, spec core.MachineSpec, w core.Watch) (core.Machine, error)
}

// Config is what a Pool works with.
type Config struct {
	Count int // how many machines wait; 0: none
	// Room reports whether the host has the memory for a machine that nobody has asked for.
	Room func(size core.Resources) bool
	Log  *slog.Logger
}

// mostFailures is how many spare machines of one shape may be lost in succession, none of which was used: no more of
// them are started then.
const mostFailures = 3

// quiet is for how long no machine must have begun to boot until a spare one does: those that somebody waits for come
// first, also where several boot one after the other.
const quiet = time.Second

// Pool is a driver that has some machines ready. Its methods are safe for concurrent use.
type Pool struct {
	Driver
	cfg  Config
	work *background.Work

	filling sync.Mutex // held while machines are counted and started

	mu       sync.Mutex
	machines map[string]*machine // by id
	booted   map[shape]int       // how many machines of each shape there were
	latest   shape               // of these
	failures map[shape]int
	boots    int // that are under way, of machines that somebody waits for
}

// machine is one that is nobody's.
type machine struct {
	id    string
	shape shape
	ready bool
	ended bool // its watch was told so, or it is given away
}

// shape is what cannot be changed any more when a machine runs.
type shape struct {
	kernel, initrd, root string
	size                 core.Resources
}

// New makes a Pool. No machine waits before one of an app has booted, or is expected.
func New(d Driver, cfg Config) *Pool {
	return &Pool{
		Driver: d, cfg: cfg, work: background.New(),
		machines: map[string]*machine{}, booted: map[shape]int{}, failures: map[shape]int{},
	}
}

// Expect counts machines that are as those which boot; the first of them that wait are started. Before, none is.
func (p *Pool) Expect(specs []core.MachineSpec) {
	for _, spec := range specs {
		if cold(spec) == "" {
			p.note(shapeOf(spec))
		}
	}
	if p.cfg.Count > 0 {
		p.fillSoon()
	}
}

// Boot implements fleet.Driver. A machine that waited has another id than spec has.
func (p *Pool) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	if p.cfg.Count == 0 {
		return p.Driver.Boot(ctx, spec, w)
	}
	if spec.Task != nil { // nobody deploys it, so nobody asks why it boots
		p.makeRoom(ctx, spec.Resources)
		return p.Driver.Boot(ctx, spec, w)
	}
	w, over := p.underway(spec, w)
	m, err := p.boot(ctx, spec, w)
	if err != nil {
		over()
	}
	return m, err
}

// boot is Boot for a machine that may be a spare one.
func (p *Pool) boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	why := cold(spec)
	if why == "" {
		p.note(shapeOf(spec))
		id := p.take(shapeOf(spec))
		if id != "" {
			m, err := p.Hand(ctx, id, spec, says(w, nodeAnew(spec)))
			p.used(shapeOf(spec), err)
			if err == nil {
				return m, nil
			}
			p.cfg.Log.Warn("a spare machine was not used", "machine", id, "app", spec.App, "error", err)
			p.drop(context.WithoutCancel(ctx), id)
		}
		why = "no spare machine was ready"
	}
	p.makeRoom(ctx, spec.Resources)
	p.work.Go(p.yield)
	return p.Driver.Boot(ctx, spec, says(w, "booted anew: "+why))
}

// used notes whether a machine of a shape was of use.
func (p *Pool) used(s shape, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures[s]++; err == nil {
		p.failures[s] = 0
	}
}

// cold says why no machine that is up can become one of spec.
func cold(spec core.MachineSpec) (why string) {
	switch {
	case spec.Port != core.DefaultPort:
		return "it listens on another port"
	case spec.Exclusive():
		return "it has a volume"
	case slices.ContainsFunc(spec.Disks, func(d core.Disk) bool { return d.Serial == guest.DiskDebian }):
		return "it has packages of Debian"
	}
	return ""
}

// nodeAnew says that Node starts in a machine that is up; "": it is up, too, as far as the start command shows.
func nodeAnew(spec core.MachineSpec) string {
	args, env := spec.Args, core.Environ(spec.Env)
	if len(spec.Steps) > 0 {
		first := spec.Steps[0]
		args, env = first.Args, append(env, core.Environ(first.Env)...)
	}
	if len(args) == 0 || args[0] != guest.Node {
		return "" // it may be a script for Node: the machine sees that
	}
	if why := guest.Anew(args, env); why != "" {
		return "Node starts anew: " + why
	}
	return ""
}

func shapeOf(spec core.MachineSpec) shape {
	s := shape{kernel: spec.Kernel, initrd: spec.Initrd, size: spec.Resources}
	for _, d := range spec.Disks {
		if d.Serial == guest.DiskBase {
			s.root = d.Path
		}
	}
	return s
}

// says is w, told with the boot how it was.
func says(w core.Watch, how string) core.Watch {
	if how == "" {
		return w
	}
	return func(e core.Event) {
		if e.Kind == core.EventBooted {
			e.Detail += "; " + how
		}
		w(e)
	}
}

// note counts a shape.
func (p *Pool) note(s shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.booted[s]++
	p.latest = s
}

// underway counts a boot until over is called, or w is told that the machine is up, or has failed. Spare machines are
// started when no boot is under way: before, they would take turns from it.
func (p *Pool) underway(spec core.MachineSpec, w core.Watch) (watch core.Watch, over func()) {
	p.mu.Lock()
	p.boots++
	p.mu.Unlock()
	over = sync.OnceFunc(func() {
		p.mu.Lock()
		p.boots--
		p.mu.Unlock()
		p.fillSoon()
	})
	return func(e core.Event) {
		w(e)
		switch {
		case e.Kind == core.EventListening, e.Kind == core.EventExited, e.Kind == core.EventGone,
			e.Kind == core.EventBooted && !spec.Process.IsWeb():
			over()
		}
	}, over
}

// fillSoon calls fill when it has been quiet for a while.
func (p *Pool) fillSoon() {
	p.work.Go(func(ctx context.Context) {
		if background.Sleep(ctx, quiet) == nil {
			p.fill(ctx)
		}
	})
}

// busy reports whether a boot is under way, after which somebody calls fillSoon.
func (p *Pool) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.boots > 0
}

// take returns the id of a machine that waits, which is the caller's from then on; "": there is none.
func (p *Pool) take(s shape) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, m := range p.machines {
		if m.shape == s && m.ready {
			delete(p.machines, id)
			m.ended = true
			return id
		}
	}
	return ""
}

// Ready is how many machines wait, booted.
func (p *Pool) Ready() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.machines {
		if m.ready {
			n++
		}
	}
	return n
}

// fill starts machines until as many wait, or will, as are wanted, and ends those of another shape.
func (p *Pool) fill(ctx context.Context) {
	p.filling.Lock()
	defer p.filling.Unlock()
	want, n, others := p.wanted()
	if want == (shape{}) {
		return // nothing has booted yet
	}
	for _, id := range others {
		p.drop(ctx, id)
	}
	for ; n < p.cfg.Count && ctx.Err() == nil && !p.busy(); n++ {
		if !p.cfg.Room(want.size) {
			p.cfg.Log.Info("no spare machine: the host has no memory to spare", "memory_mib", want.size.MemoryMiB)
			return
		}
		p.start(ctx, want)
	}
}

// wanted is the shape that boots most, how many machines of it there are or need not be tried, and the machines of
// other shapes.
func (p *Pool) wanted() (want shape, n int, others []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	want = p.latest
	for s, times := range p.booted {
		if times > p.booted[want] {
			want = s
		}
	}
	for id, m := range p.machines {
		if m.shape == want {
			n++
		} else {
			others = append(others, id)
		}
	}
	if p.failures[want] >= mostFailures {
		n = p.cfg.Count
	}
	return want, n, others
}

// start starts one machine.
func (p *Pool) start(ctx context.Context, s shape) {
	var b [4]byte
	rand.Read(b[:])
	m := &machine{id: "spare-" + hex.EncodeToString(b[:]), shape: s}
	p.mu.Lock()
	p.machines[m.id] = m
	p.mu.Unlock()
	spec := core.MachineSpec{
		ID: m.id, Kernel: s.kernel, Initrd: s.initrd, Port: core.DefaultPort, Share: core.Share{Resources: s.size},
		Disks: []core.Disk{{Serial: guest.DiskBase, Path: s.root}},
	}
	if err := p.Spare(ctx, spec, func(e core.Event) { p.hear(m, e) }); err != nil {
		p.cfg.Log.Warn("a spare machine does not start", "error", err)
		p.lost(m)
		p.fillSoon() // nobody else may call it for long
	}
}

// hear is told what happens to a machine that is nobody's.
func (p *Pool) hear(m *machine, e core.Event) {
	switch e.Kind {
	case core.EventBooted:
		p.mu.Lock()
		m.ready = true
		p.mu.Unlock()
		p.cfg.Log.Info("a spare machine is ready", "machine", m.id, "boot", e.Detail)
	case core.EventLog:
		p.cfg.Log.Debug("a spare machine says", "machine", m.id, "line", e.Line)
	case core.EventHung, core.EventGone:
		if !p.lost(m) {
			return
		}
		p.cfg.Log.Warn("a spare machine is lost", "machine", m.id, "reason", e.Detail)
		p.work.Go(func(ctx context.Context) {
			p.drop(ctx, m.id) // also what it leaves on the host
			p.fill(ctx)
		})
	}
}

// lost forgets a machine that is of no use any more, and reports whether nobody has ended it.
func (p *Pool) lost(m *machine) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.machines, m.id)
	if m.ended {
		return false
	}
	m.ended = true
	p.failures[m.shape]++
	return true
}

// drop ends a machine that is of no use.
func (p *Pool) drop(ctx context.Context, id string) {
	p.mu.Lock()
	if m := p.machines[id]; m != nil {
		m.ended = true
		delete(p.machines, id)
	}
	p.mu.Unlock()
	if err := p.Stop(ctx, id, 0); err != nil {
		p.cfg.Log.Error("a spare machine does not end; the next start of gitd ends it", "machine", id, "error", err)
	}
}

// yield ends the machines that are not up yet: they would take turns of the processors from one that somebody waits
// for. When that is up, others are started.
func (p *Pool) yield(ctx context.Context) {
	p.filling.Lock() // none is half started
	defer p.filling.Unlock()
	for _, id := range p.booting() {
		p.drop(ctx, id)
	}
}

// booting are the machines that are not up yet.
func (p *Pool) booting() (ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, m := range p.machines {
		if !m.ready {
			ids = append(ids, id)
		}
	}
	return ids
}

// makeRoom ends the machines that wait if an app's own needs their memory.
func (p *Pool) makeRoom(ctx context.Context, size core.Resources) {
	if !p.cfg.Room(size) {
		p.Drop(ctx)
	}
}

// Drop ends the machines that wait.
func (p *Pool) Drop(ctx context.Context) {
	p.mu.Lock()
	var all []string
	for id := range p.machines {
		all = append(all, id)
	}
	p.mu.Unlock()
	for _, id := range all {
		p.drop(ctx, id)
	}
}

// List implements fleet.Driver: nobody else knows of the machines that wait.
func (p *Pool) List(ctx context.Context) ([]core.Machine, error) {
	all, err := p.Driver.List(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(all, func(m core.Machine) bool { return p.machines[m.ID] != nil }), err
}

// closeTime is for the machines that wait to end, when gitd does.
const closeTime = 10 * time.Second

// Leave starts no more machines. Those that wait go on: the next gitd ends them.
func (p *Pool) Leave() { p.work.Close() }

// Close ends the machines that wait. Those that are somebody's go on.
func (p *Pool) Close() {
	p.Leave()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	p.Drop(ctx)
}

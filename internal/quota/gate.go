// Package quota is what machines, apps and people may take of the host, and who has how much of it.
//
// It owns the places: each process of an app and each command beside it has one, with the memory and the processors of
// its machine. Every machine passes the Gate when it boots (Drive), under one lock, so that two cannot both have the
// last place. It does not own which processes an app has (package fleet), nor who may set a quota (package cli).
package quota

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
)

// Ledger is what the Gate reads and writes of the durable truth. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	// AppQuota and UserQuota are what was set for an app and for a user; empty if nothing was.
	AppQuota(ctx context.Context, app string) (core.Quota, error)
	UserQuota(ctx context.Context, user string) (core.Quota, error)
	SetAppQuota(ctx context.Context, app string, q core.Quota) error
	SetUserQuota(ctx context.Context, user string, q core.Quota) error
	// Owned are the apps that user has made, by name.
	Owned(ctx context.Context, user string) ([]string, error)
}

// Disk says what apps have on the disk.
type Disk interface {
	// Promised is what app has there or may fill, in bytes.
	Promised(ctx context.Context, app string) (int64, error)
}

// Limits are what holds for all.
type Limits struct {
	Host core.Resources // that all machines may have together; zero fields: any
	App  core.Quota     // of an app for which nothing else is set
	User core.Quota     // of a user for whom nothing else is set
}

// Config is what a Gate works with.
type Config struct {
	Limits Limits
	Ledger Ledger
	Disk   Disk
	Trail  *audit.Trail
	Room   Room // nil: none can be made
}

// Gate knows the places, and says which machines may boot. Its methods are safe for concurrent use.
type Gate struct {
	cfg Config

	making chan struct{} // has a token while room is made for a machine

	mu sync.Mutex // guards table
	table
}

// table is all places. Whoever calls its methods holds the lock of the Gate.
type table struct {
	places  map[key]*place
	at      map[string]key    // by machine
	also    map[string]string // the ids of machines that were up before they had a place, and the ids they have here
	changed chan struct{}     // closed when a machine has left
	young   map[string]young  // machines that may not have taken their memory yet
}

// key names a place: a process of an app, or a command beside it, by its machine.
type key struct{ app, name string }

// place is what one process has. While it is replaced it has two machines, and counts as the larger one.
type place struct {
	kept     bool           // the app has the process: its size stays while it has no machine
	size     core.Resources // zero: it has never had a machine, and counts nothing
	machines map[string]core.Resources
}

// patience is how long a machine that replaces another one waits until others have been replaced.
const patience = 2 * time.Minute

// New makes a Gate that knows of no machine yet.
func New(cfg Config) *Gate {
	if cfg.Room == nil {
		cfg.Room = noRoom{}
	}
	return &Gate{cfg: cfg, making: make(chan struct{}, 1), table: table{
		map[key]*place{}, map[string]key{}, map[string]string{}, make(chan struct{}), map[string]young{},
	}}
}

// Keep says that app has a process: what it has is kept for it while it has no machine.
func (g *Gate) Keep(app string, process core.ProcessID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.place(key{app, process.String()}).kept = true
}

// Give ends Keep. The process of a machine that still runs has its place until that ends.
func (g *Gate) Give(app string, process core.ProcessID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.places[key{app, process.String()}]; p != nil {
		p.kept = false
		g.settle(key{app, process.String()}, p)
	}
}

// Rename gives the places of an app its new name.
func (g *Gate) Rename(from, to string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for k, p := range g.places {
		if k.app == from {
			delete(g.places, k)
			g.places[key{to, k.name}] = p
		}
	}
	for id, k := range g.at {
		if k.app == from {
			g.at[id] = key{to, k.name}
		}
	}
}

// Promised is what all places have together, and the most that they may have.
func (g *Gate) Promised() (now, most core.Resources) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.total(func(string) bool { return true })
	return core.Resources{MemoryMiB: t.MemoryMiB, CPUs: t.CPUs}, g.cfg.Limits.Host
}

// place finds or makes a place.
func (t *table) place(k key) *place {
	p, ok := t.places[k]
	if !ok {
		p = &place{machines: map[string]core.Resources{}}
		t.places[k] = p
	}
	return p
}

// settle says what a place counts after a machine has left it.
func (t *table) settle(k key, p *place) {
	if len(p.machines) > 0 {
		p.size = p.largest(core.Resources{})
	} else if !p.kept {
		delete(t.places, k)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// called says that the machine which entered as id is called as: it was up before.
func (g *Gate) called(id, as string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.at[id]; ok && id != as {
		g.also[as] = id
	}
}

// leave says that a machine has ended.
func (g *Gate) leave(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id = cmp.Or(g.also[id], id)
	k, ok := g.at[id]
	if !ok {
		return
	}
	delete(g.at, id)
	delete(g.young, id)
	maps.DeleteFunc(g.also, func(_, here string) bool { return here == id })
	if p := g.places[k]; p != nil {
		delete(p.machines, id)
		g.settle(k, p)
	}
}

// largest is the largest of next and the machines of a place.
func (p *place) largest(next core.Resources) core.Resources {
	for _, r := range p.machines {
		next.MemoryMiB, next.CPUs = max(next.MemoryMiB, r.MemoryMiB), max(next.CPUs, r.CPUs)
	}
	return next
}

// beside is the memory of a place's machines that it does not count.
func (p *place) beside() (mib int) {
	for _, r := range p.machines {
		mib += r.MemoryMiB
	}
	return max(0, mib-p.size.MemoryMiB)
}

package quota

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Room makes room for a machine for which there is none. First ends what is up for nobody, and then apps fall asleep.
type Room interface {
	// Free is the memory of the host that a machine could have now, in MiB, without what QEMU takes for itself. Of some
	// hosts it is not known.
	Free() (mib int, known bool)
	// Clear ends machines that are up for nobody, if the host has not the memory for one of this size.
	Clear(ctx context.Context, size core.Resources)
	// May are the apps that could fall asleep if nobody asked for them for some seconds, for a machine that has waited
	// since then; none if it has waited long enough for that.
	May(ctx context.Context, since time.Time) []string
	// Idle are those of them that could fall asleep now, the one first that was asked for longest ago.
	Idle(ctx context.Context) []string
	// Doze puts an app to sleep, in favour of another one, and reports whether it sleeps.
	Doze(ctx context.Context, app, favoured string) bool
}

// noRoom is what no room can be made with.
type noRoom struct{}

func (noRoom) Free() (int, bool)                         { return 0, false }
func (noRoom) Clear(context.Context, core.Resources)     {}
func (noRoom) May(context.Context, time.Time) []string   { return nil }
func (noRoom) Idle(context.Context) []string             { return nil }
func (noRoom) Doze(context.Context, string, string) bool { return false }

// ErrFull is within each error which says that there is no place for a machine: there may be one later.
var ErrFull = errors.New("there is no place for the machine")

// soon is a channel that is closed when it is known what machines that boot have taken.
func soon() <-chan struct{} {
	over := make(chan struct{})
	time.AfterFunc(youth/3, func() { close(over) })
	return over
}

func full(r *core.Rejection) error {
	r.Err = ErrFull
	return r
}

// refusal is why there is no place, and of which apps there is too much.
type refusal struct {
	err    error
	of     func(app string) bool
	memory bool // the host has none, whatever was promised
	passes bool // it may have when machines that boot have taken theirs
}

// apps are some apps, by name.
type apps map[string]bool

// except are all but one.
func except(all []string, app string) []string {
	return slices.DeleteFunc(all, func(other string) bool { return other == app })
}

func set(all []string) apps {
	s := apps{}
	for _, app := range all {
		s[app] = true
	}
	return s
}

// couldFit is what judge says of now, unless there is room if others fall asleep.
func couldFit(ctx context.Context, g *Gate, app string, judge func(without apps) *refusal) error {
	locked := func(without apps) *refusal {
		g.mu.Lock()
		defer g.mu.Unlock()
		return judge(without)
	}
	no := locked(nil)
	if no == nil {
		return nil
	}
	if others := except(g.cfg.Room.May(ctx, time.Now()), app); len(others) > 0 && locked(set(others)) == nil {
		return nil
	}
	return no.err
}

// makeRoom makes some of the room that a machine needs, and reports whether it is worth another try. One at a time does
// so: no more apps fall asleep than must.
func makeRoom(ctx context.Context, g *Gate, r rules, k key, size core.Resources) bool {
	select {
	case g.making <- struct{}{}:
		defer func() { <-g.making }()
	case <-ctx.Done():
		return false
	}
	no := lacks(g, r, nil, k, size)
	if no != nil && no.memory {
		g.cfg.Room.Clear(ctx, size)
		no = lacks(g, r, nil, k, size)
	}
	if no == nil {
		return true
	}
	others := except(g.cfg.Room.Idle(ctx), k.app)
	if len(others) == 0 || lacks(g, r, set(others), k, size) != nil {
		return false // also without them, so they stay
	}
	for _, app := range others {
		if no.of(app) && g.cfg.Room.Doze(ctx, app, k.app) {
			return true
		}
	}
	return false
}

// mayClear reports whether there is room once others are idle that are not now.
func mayClear(ctx context.Context, g *Gate, r rules, k key, size core.Resources, since time.Time) bool {
	others := except(g.cfg.Room.May(ctx, since), k.app)
	return len(others) > 0 && lacks(g, r, set(others), k, size) == nil
}

// lacks is refuses for callers that do not hold the lock.
func lacks(g *Gate, r rules, without apps, k key, size core.Resources) *refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refuses(r, without, k, size)
}

// freeOf is Room.Free, and enough for anything where nobody can say.
func freeOf(r Room) int {
	if mib, known := r.Free(); known {
		return mib
	}
	return 1 << 40
}

// young is a machine that has entered lately, with its memory in MiB.
type young struct {
	since time.Time
	mib   int
}

// youth is for how long a machine may not have taken the memory that it takes to boot.
const youth = 3 * time.Second

// short says why the host has not the memory for one more machine, if some apps had none; nil: it has. What machines
// were promised may be more than there is: QEMU's own memory, which is that of a machine again where it emulates, is
// not in it. Without this, the kernel would end a machine that serves, or gitd. The caller holds the lock.
func short(g *Gate, without apps, app string, size core.Resources) *refusal {
	left := freeOf(g.cfg.Room) + g.total(func(name string) bool { return without[name] }).MemoryMiB
	taken := 0
	maps.DeleteFunc(g.young, func(_ string, y young) bool { return time.Since(y.since) > youth })
	for id, y := range g.young {
		if !without[g.at[id].app] {
			taken += y.mib
		}
	}
	if left-taken >= size.MemoryMiB {
		return nil
	}
	return &refusal{full(core.Reject(
		fmt.Sprintf("the server has no memory: %s needs %s, and %s are free", app, mib(size.MemoryMiB), mib(max(0, left-taken))),
		"an operator can stop other apps, let them sleep (`sleep:set APP 15m`), or give the server more memory")), ofAll, true, left >= size.MemoryMiB}
}

func mib(n int) string { return units.Bytes(int64(n) << 20) }

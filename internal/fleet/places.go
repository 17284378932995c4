package fleet

import (
	"cmp"
	"context"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Places say which machines there may be. The driver asks them at each boot (package quota); here they learn which
// processes apps have, and are asked before anything is built or stopped.
type Places interface {
	// Keep says that app has a process, whose place it keeps while it has no machine, and Give that it has it no more.
	Keep(app string, process core.ProcessID)
	Give(app string, process core.ProcessID)
	Rename(from, to string)
	// Adopted counts a machine that an earlier process started.
	Adopted(m core.Machine)
	// Reserve takes a place for a process without a machine.
	Reserve(ctx context.Context, app string, process core.ProcessID, size core.Resources) error
	// Check says why app cannot have these processes, or nil; sizes are those of machines that are to boot.
	Check(ctx context.Context, app string, processes []core.ProcessID, sizes map[core.ProcessID]core.Resources) error
}

// Admits says why there is no place for the machines of rel in this scale, or nil. Nothing of rel but its processes and
// what they want needs to be known.
func Admits(ctx context.Context, f *Fleet, rel core.Release, scale core.Scale) error {
	share, err := f.booter.share(ctx, rel)
	if err != nil {
		return err
	}
	processes, sizes := scale.Formation(rel.Manifest), map[core.ProcessID]core.Resources{}
	for _, p := range processes {
		sizes[p] = share.Resources
	}
	return f.cfg.Places.Check(ctx, rel.App, processes, sizes)
}

// admitted says why there is no place for all machines of l, or nil.
func (l Lineup) admitted(ctx context.Context, places Places) error {
	sizes := map[core.ProcessID]core.Resources{}
	for _, s := range l.specs {
		sizes[s.Process] = s.Resources
	}
	return places.Check(ctx, l.release.App, l.scale.Formation(l.release.Manifest), sizes)
}

// share is what a machine of rel gets.
func (b booter) share(ctx context.Context, rel core.Release) (core.Share, error) {
	set, err := b.cfg.Ledger.Resources(ctx, rel.App)
	if err != nil {
		return core.Share{}, err
	}
	a, err := b.cfg.Ledger.App(ctx, rel.App)
	return core.ShareOf(set, a, rel.Manifest, b.cfg.Defaults), err
}

// vacancy is a post without a machine, after gitd's start.
type vacancy struct {
	*post
	app core.App
	nth int // of the app's processes
	rel core.Release
}

// reserve gives out the places that there are, before machines boot side by side: first one machine for each app, the
// oldest app first, then the second of each, and so on. Which app gets none does not depend on which is the fastest.
func (b booter) reserve(ctx context.Context, all []vacancy) {
	slices.SortStableFunc(all, func(a, b vacancy) int {
		return cmp.Or(a.nth-b.nth, a.app.Created.Compare(b.app.Created), cmp.Compare(a.app.Name, b.app.Name))
	})
	for _, v := range all {
		share, err := b.share(ctx, v.rel)
		if err == nil {
			err = b.cfg.Places.Reserve(ctx, v.app.Name, v.process, share.Resources)
		}
		if err != nil {
			b.cfg.Log.Warn("there is no place for a machine", "app", v.app.Name, "process", v.process.String(), "error", err)
			v.goDown("it does not start: "+forEverybody(err), false)
		}
	}
}

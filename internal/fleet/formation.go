package fleet

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Lineup is the machines that a release needs, before they are booted: one for each process, in order.
type Lineup struct {
	release core.Release
	specs   []core.MachineSpec
	others  int // processes of the release that are not in specs
	scale   core.Scale
	volume  string                                       // that only one of the machines has; empty: there is none
	failed  func(process core.ProcessID, inst *Instance) // told of a machine that did not start; may be nil
}

// Formation is machines of one release that are healthy, and do not serve yet.
type Formation struct{ machines []*Instance }

// Lineup says which machines rel needs, as its app is scaled.
func (f *Fleet) Lineup(ctx context.Context, rel core.Release) (Lineup, error) {
	a, err := f.cfg.Ledger.App(ctx, rel.App)
	if err != nil {
		return Lineup{}, err
	}
	l, err := f.booter.lineup(ctx, rel, a.Scale, func(core.ProcessID) bool { return true })
	if err != nil {
		return l, err
	}
	for i := range l.specs {
		l.specs[i].Kept = rel.Trigger.NewCode()
	}
	return l, cmp.Or(l.checkHost(f.cfg.Capacity), l.admitted(ctx, f.cfg.Places))
}

// lineup is Lineup for another scale, and for the processes that are missing.
func (b booter) lineup(
	ctx context.Context, rel core.Release, scale core.Scale, missing func(core.ProcessID) bool,
) (Lineup, error) {
	l := Lineup{release: rel, scale: scale}
	if err := b.complete(rel); err != nil {
		return l, err
	}
	volumes, err := b.cfg.Ledger.Volumes(ctx, rel.App)
	if err != nil {
		return l, err
	}
	if err := scale.CheckVolumes(rel.Manifest, volumes); err != nil {
		return l, err
	}
	if len(volumes) > 0 {
		l.volume = volumes[0].Name
	}
	for _, process := range scale.Formation(rel.Manifest) {
		if !missing(process) {
			l.others++
			continue
		}
		spec, err := b.spec(ctx, rel, process)
		if err != nil {
			return l, err
		}
		l.specs = append(l.specs, spec)
	}
	return l, nil
}

// Web is l without its workers.
func (l Lineup) Web() Lineup {
	all := l.specs
	l.specs = l.specs[:countWeb(l.specs):countWeb(l.specs)]
	l.others += len(all) - len(l.specs)
	return l
}

// Empty reports whether no machine would boot.
func (l Lineup) Empty() bool { return len(l.specs) == 0 }

// Exclusive reports whether the machine that runs now must stop before a machine of l can boot, because a volume
// belongs to one machine at a time.
func (l Lineup) Exclusive() bool {
	return slices.ContainsFunc(l.specs, core.MachineSpec.Exclusive)
}

// single reports whether the release has one process, so that there is no need to say which.
func (l Lineup) single() bool {
	return l.others == 0 && len(l.specs) == 1 && l.specs[0].Process == core.FirstWeb
}

// announce says what is booted.
func (l Lineup) announce(r *progress.Report) {
	if len(l.specs) == 0 {
		r.Detail("no machine is to run: `ps:scale %s` says how many", l.release.App)
		return
	}
	share := l.specs[0].Share
	each := fmt.Sprintf("%s, %d CPU", memoryOf(share), share.CPUs)
	if l.single() {
		r.Step("Booting v%d: %s", l.release.Version, each)
		return
	}
	var names []string
	for _, s := range l.specs {
		names = append(names, s.Process.String())
	}
	r.Step("Booting v%d as %s: each has %s", l.release.Version, strings.Join(names, ", "), each)
	if l.others == 0 {
		r.Detail("`ps:scale %s` changes how many there are: %s", l.release.App, l.scale.Text(l.release.Manifest))
	}
	if holder, _ := l.release.Manifest.VolumeHolder(); l.volume != "" && len(l.release.Manifest.Running()) > 1 {
		r.Detail("only %s has the volume %q: it belongs to one machine at a time", holder, l.volume)
	}
}

// Boot starts the machines of l and waits until all are healthy. If one does not become healthy, the reader of r sees
// its last lines, and all of them are gone. They serve no requests yet.
//
// The first comes alone: it shows whether the release runs at all, and how much memory it needs. Then come the others
// of web, side by side, and then the workers, because a worker begins to work when it boots: it does not while its
// release may still fail for another reason.
func (f *Fleet) Boot(ctx context.Context, l Lineup, r *progress.Report) (*Formation, error) {
	l.announce(r)
	made := &Formation{}
	rest := l.specs
	for len(rest) > 0 {
		n := 1
		if len(made.machines) > 0 {
			n = cmp.Or(countWeb(rest), len(rest))
		}
		if err := f.booter.bootSome(ctx, l, rest[:n], made, r); err != nil {
			f.Discard(made)
			return nil, err
		}
		rest = rest[n:]
	}
	return made, nil
}

// countWeb is how many of specs, which are in order, are of web.
func countWeb(specs []core.MachineSpec) (n int) {
	for _, s := range specs {
		if s.Process.IsWeb() {
			n++
		}
	}
	return n
}

// bootSome boots machines side by side, as many at a time as the host has processors, and adds them to made. A single
// one tells of itself as it goes; of several, each tells when it has failed.
func (b booter) bootSome(ctx context.Context, l Lineup, specs []core.MachineSpec, made *Formation, r *progress.Report) error {
	var mu sync.Mutex // guards made and failed
	var failed error  // the first failure: it ends the others
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	places, first := make(chan struct{}, runtime.NumCPU()), made.memory()
	for _, spec := range specs {
		if !spec.From.Fixed() {
			spec.MemoryMiB = max(spec.MemoryMiB, first)
		}
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			var text bytes.Buffer
			own := r
			if len(specs) > 1 {
				own = progress.NewReport(&text)
			}
			inst, err := b.boot(ctx, spec, l.release, own)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made.machines = append(made.machines, inst)
				l.healthy(inst, r)
				return
			}
			if l.failed != nil {
				l.failed(spec.Process, inst)
			}
			if failed == nil {
				r.Relay(text.String())
				failed = ofProcess(spec.Process, err)
				cancel()
			}
		})
	}
	all.Wait()
	slices.SortFunc(made.machines, func(a, b *Instance) int { return a.process.Compare(b.process) })
	return failed
}

// healthy tells of a machine, where there are several.
func (l Lineup) healthy(inst *Instance, r *progress.Report) {
	if !l.single() {
		r.Detail("%s is healthy", inst.process)
	}
}

// ofProcess says of the failure of a machine of which process it is. Of the first of web, nobody asks.
func ofProcess(process core.ProcessID, err error) error {
	if r, ok := errors.AsType[*core.Rejection](err); ok && process != core.FirstWeb {
		return &core.Rejection{Reason: process.String() + ": " + r.Reason, Hint: r.Hint, Err: r.Err}
	}
	return err
}

// memory is how much the first machine has; 0: there is none.
func (m *Formation) memory() (mib int) {
	if len(m.machines) == 0 {
		return 0
	}
	return m.machines[0].memory
}

// Machines are the machines of the formation.
func (m *Formation) Machines() []core.Machine {
	var all []core.Machine
	for _, inst := range m.machines {
		all = append(all, inst.Machine())
	}
	return all
}

func (m *Formation) processes() []core.ProcessID {
	var all []core.ProcessID
	for _, inst := range m.machines {
		all = append(all, inst.process)
	}
	return all
}

// Discard stops candidates that will not serve. A failure is logged, and the next start removes what is left.
func (f *Fleet) Discard(candidates *Formation) {
	for _, inst := range candidates.machines {
		f.booter.stop(context.WithoutCancel(f.cfg.Work.Context()), inst.ID(), 0) //nolint:errcheck // see above
	}
}

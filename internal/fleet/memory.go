package fleet

import (
	"context"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// This file is what happens to a candidate that runs out of memory: see docs/decisions/0066-memory.md.

func mib(n int) string { return units.Bytes(int64(n) << 20) }

// memoryOf is how much memory a machine gets, and why if gitd chose it.
func memoryOf(s core.Share) string {
	if s.Because == "" {
		return mib(s.MemoryMiB)
	}
	return mib(s.MemoryMiB) + " (" + s.Because + ")"
}

// checkHost says why the host cannot have all machines of a release of which l is a part, or nil.
func (l Lineup) checkHost(host core.Resources) error {
	if len(l.specs) == 0 || host.MemoryMiB == 0 {
		return nil
	}
	each, n := l.specs[0].MemoryMiB, l.others+len(l.specs)
	if n == 1 || n*each <= host.MemoryMiB { // one is checked where its size is set
		return nil
	}
	return core.Reject(fmt.Sprintf("%d machines with %s each are more than the host has, which is %s", n, mib(each), mib(host.MemoryMiB)),
		fmt.Sprintf("`resource %s --memory` says how much each gets, `ps:scale %s` how many there are", l.release.App, l.release.App))
}

// memoryUse is what is known of a machine's memory.
func (i *Instance) memoryUse() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stats == nil {
		return mib(i.memory) + " of memory"
	}
	return fmt.Sprintf("%s of memory, %s of it used", mib(i.memory), units.Bytes(i.stats.MemoryUsed))
}

// limitsHeap reports whether the app itself says how large its heap may be: then more memory makes it no larger.
func limitsHeap(spec core.MachineSpec) bool {
	all := strings.ReplaceAll(strings.Join(spec.Args, " ")+" "+spec.Env["NODE_OPTIONS"], "_", "-")
	return strings.Contains(all, "--max-old-space-size") || strings.Contains(all, "--max-heap-size")
}

// more is the memory with which a candidate is tried again that had too little; 0: it is not. A machine that is silent
// may have another reason for that: it is tried again once.
func (b booter) more(spec core.MachineSpec, asked int, lacks lack) (mib int) {
	if lacks == ofHeap && limitsHeap(spec) || lacks == ofTurns && spec.MemoryMiB > asked {
		return 0
	}
	return spec.More(b.cfg.Capacity)
}

// outOfMemory is why a release failed that is not tried again with more memory.
func outOfMemory(spec core.MachineSpec, lacks lack, why string) *core.Rejection {
	reason := fmt.Sprintf("the app ran out of memory with %s", mib(spec.MemoryMiB))
	more := core.MemoryCommand(spec.App, spec.MemoryMiB)
	switch {
	case lacks == ofHeap && limitsHeap(spec):
		return core.Reject(reason+": it sets the size of its heap itself", "leave --max-old-space-size out: Node's own limit follows the machine's memory")
	case spec.From == core.SetByPackage:
		return core.Reject(reason+", as package.json asks: "+why,
			fmt.Sprintf(`"nodeos": {"memory": "%dM"} in package.json gives it more, or leave it out: gitd then finds what it needs`, min(2*spec.MemoryMiB, core.MaxMemoryMiB)))
	case spec.From == core.SetByCommand:
		return core.Reject(reason+", as it was set: "+why,
			more+" gives it more; `resource "+spec.App+" --memory default` lets gitd find what it needs")
	}
	return core.Reject(reason+", and gets no more by itself: "+why, more+" gives it more")
}

// keepFound stores the memory with which an app is healthy that ran out of less. The next boots begin with it. If that
// fails, they find it again.
func (b booter) keepFound(ctx context.Context, spec core.MachineSpec, r *progress.Report) {
	r.Warn("%s needs %s of memory: that is kept for its next releases; `resource %s --memory %dM` fixes it",
		spec.App, mib(spec.MemoryMiB), spec.App, spec.MemoryMiB)
	err := b.cfg.Ledger.ChangeApp(ctx, spec.App, func(a *core.App) error {
		a.FoundMiB = spec.MemoryMiB
		return nil
	})
	if err != nil {
		b.cfg.Log.Error("the memory that an app needs is not kept", "app", spec.App, "memory_mib", spec.MemoryMiB, "error", err)
	}
}

package quota

import "github.com/nodeos-dev/gitd/internal/core"

// sum is what places have together.
type sum struct {
	core.Resources
	machines int
}

// total adds up the places of some apps.
func (t *table) total(of func(app string) bool) (all sum) {
	for k, p := range t.places {
		if of(k.app) {
			all = all.with(p.size, 1)
		}
	}
	return all
}

// with is t and a place of this size more, or with by -1 less. A place without a size counts nothing.
func (t sum) with(size core.Resources, by int) sum {
	if size == (core.Resources{}) {
		return t
	}
	t.MemoryMiB += by * size.MemoryMiB
	t.CPUs += by * size.CPUs
	t.machines += by
	return t
}

// of is how much there is of l.
func (t sum) of(l core.Limited) int64 {
	switch l {
	case core.LimitMemory:
		return int64(t.MemoryMiB) << 20
	case core.LimitCPUs:
		return int64(t.CPUs)
	}
	return int64(t.machines)
}

// replacing reports which apps have more machines than places now, and what each has in all, in MiB: so much may become
// double.
func (t *table) replacing() map[string]int {
	some := map[string]int{}
	for k, p := range t.places {
		if p.beside() > 0 {
			some[k.app] = 0
		}
	}
	for k, p := range t.places {
		if _, ok := some[k.app]; ok {
			some[k.app] += p.size.MemoryMiB
		}
	}
	return some
}

// real is the memory of all machines.
func (t *table) real() (mib int) {
	for _, p := range t.places {
		mib += p.size.MemoryMiB + p.beside()
	}
	return mib
}

package core

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/units"
)

// The least and the most that one machine may get.
const (
	MinMemoryMiB = 48 // the smallest Node server does not boot with less
	MaxMemoryMiB = 256 << 10
	MaxCPUs      = 64
)

// CheckResources says why no machine can have r, or nil. Zero fields are the
// defaults.
func CheckResources(r Resources) error {
	if r.MemoryMiB != 0 && (r.MemoryMiB < MinMemoryMiB || r.MemoryMiB > MaxMemoryMiB) {
		return Reject(r.memory()+" of memory is out of range",
			fmt.Sprintf("a machine has from %s to %s", mib(MinMemoryMiB), mib(MaxMemoryMiB)))
	}
	if r.CPUs < 0 || r.CPUs > MaxCPUs {
		return Reject(fmt.Sprintf("%d CPUs is out of range", r.CPUs), fmt.Sprintf("a machine has from 1 to %d", MaxCPUs))
	}
	return nil
}

// Or returns r, with the fields that are not set taken from def.
func (r Resources) Or(def Resources) Resources {
	if r.MemoryMiB == 0 {
		r.MemoryMiB = def.MemoryMiB
	}
	if r.CPUs == 0 {
		r.CPUs = def.CPUs
	}
	return r
}

// String says what is set.
func (r Resources) String() string {
	memory, cpus := "default memory", "default CPUs"
	if r.MemoryMiB > 0 {
		memory = r.memory()
	}
	if r.CPUs > 0 {
		cpus = fmt.Sprintf("%d CPUs", r.CPUs)
	}
	return memory + ", " + cpus
}

func (r Resources) memory() string { return mib(r.MemoryMiB) }

func mib(n int) string { return units.Bytes(int64(n) << 20) }

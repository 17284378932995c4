package core

import "fmt"

// The least and the most that one machine may get.
const (
	minMemoryMiB = 48
	maxMemoryMiB = 256 << 10
	maxCPUs      = 64
)

// CheckResources says why no machine can have r, or nil. Zero fields are the
// defaults.
func CheckResources(r Resources) error {
	if r.MemoryMiB != 0 && (r.MemoryMiB < minMemoryMiB || r.MemoryMiB > maxMemoryMiB) {
		return Reject(fmt.Sprintf("%d MiB of memory is out of range", r.MemoryMiB),
			fmt.Sprintf("a machine has from %d MiB to %d GiB", minMemoryMiB, maxMemoryMiB>>10))
	}
	if r.CPUs < 0 || r.CPUs > maxCPUs {
		return Reject(fmt.Sprintf("%d CPUs is out of range", r.CPUs), fmt.Sprintf("a machine has from 1 to %d", maxCPUs))
	}
	return nil
}

// Or fills the fields that are not set from def.
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
		memory = fmt.Sprintf("%d MiB", r.MemoryMiB)
	}
	if r.CPUs > 0 {
		cpus = fmt.Sprintf("%d CPUs", r.CPUs)
	}
	return memory + ", " + cpus
}

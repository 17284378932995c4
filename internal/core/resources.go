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

// CheckFits says why a host cannot give r to one machine, or nil. Fields of host that are zero are not known.
func CheckFits(r, host Resources) error {
	var tooMuch string
	switch {
	case host.CPUs > 0 && r.CPUs > host.CPUs:
		tooMuch = fmt.Sprintf("%d CPUs", r.CPUs)
	case host.MemoryMiB > 0 && r.MemoryMiB > host.MemoryMiB:
		tooMuch = r.memory() + " of memory"
	default:
		return nil
	}
	return Reject(tooMuch+" is more than the host has", fmt.Sprintf("the host has %s and %s", count(host.CPUs, "CPU"), host.memory()))
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
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

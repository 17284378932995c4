package deploy

import (
	"context"
	"fmt"
)

// The least and the most that one machine may get.
const (
	minMemoryMiB = 48
	maxMemoryMiB = 256 << 10
	maxCPUs      = 64
)

// Settings is what people set for an app, beside what its repository says.
type Settings interface {
	Vars
	Overrides
	Domains
}

// Overrides are resources that were set for an app by hand: they go before
// those in its package.json.
type Overrides interface {
	// Resources are those set for app; zero fields are not set.
	Resources(ctx context.Context, app string) (Resources, error)
	// SetResources replaces what was set.
	SetResources(ctx context.Context, app string, r Resources) error
}

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

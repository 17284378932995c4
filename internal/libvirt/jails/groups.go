package jails

import (
	"errors"

	"github.com/nodeos-dev/gitd/internal/cgroup"
	"github.com/nodeos-dev/gitd/internal/core"
)

// What a machine's group may have beside its guest's memory and processors: QEMU's own memory, code that it has
// translated, the files that it reads; its threads and those of the process around it; one core for what these do.
const (
	groupMemory  = 768 << 20
	groupPids    = 256
	groupPercent = 100
)

// openGroups finds the control groups that gitd may use. Without any, a machine has the limits of its processes.
func openGroups(cfg Config) *cgroup.Tree {
	if !cfg.Embedded || cfg.User != "" {
		return nil // a daemon has groups of its own, and another user may not enter gitd's
	}
	tree, err := cgroup.Open()
	switch {
	case err == nil:
		cfg.Log.Info().Stringer("groups", tree).Msg("machines have control groups of their own")
		return tree
	case !errors.Is(err, cgroup.ErrUnavailable):
		cfg.Log.Warn().Err(err).Msg("machines have no control groups")
	}
	return nil
}

// group makes the control group of a machine, and returns the files by which a process enters it.
func (j *Jails) group(m core.MachineSpec) ([]string, error) {
	if j.groups == nil {
		return nil, nil
	}
	limits := cgroup.Limits{MemoryBytes: int64(m.MemoryMiB)<<20 + groupMemory, CPUPercent: 100*m.CPUs + groupPercent}
	if j.groups.Has("pids") {
		limits.Pids = groupPids + m.CPUs
	}
	g, err := j.groups.Make(groupOf(m.ID), limits)
	if err != nil {
		return nil, err
	}
	return g.Procs(), nil
}

func groupOf(id string) string { return "machine-" + id }

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
)

// setting is one file of a group and what is written to it.
type setting struct {
	controller, file, value string
	optional                bool // the kernel may not have it
}

// period is the time over which a processor limit is counted, in microseconds: the kernel's default.
const period = 100_000

// settings1 are the files of version 1. The order matters: memory.memsw, of memory and swap together, may not be less
// than the memory.
func settings1(l Limits) (list []setting) {
	if l.MemoryBytes > 0 {
		n := strconv.FormatInt(l.MemoryBytes, 10)
		list = append(list, setting{"memory", "memory.limit_in_bytes", n, false}, setting{"memory", "memory.memsw.limit_in_bytes", n, true})
	}
	if l.Pids > 0 {
		list = append(list, setting{"pids", "pids.max", strconv.Itoa(l.Pids), false})
	}
	if l.CPUPercent > 0 {
		list = append(list, setting{"cpu", "cpu.cfs_quota_us", strconv.Itoa(l.CPUPercent * period / 100), true})
	}
	if l.CPUWeight > 0 { // 100 of version 2 are 1024 here
		list = append(list, setting{"cpu", "cpu.shares", strconv.Itoa(max(2, l.CPUWeight*1024/100)), true})
	}
	if l.IOWeight > 0 {
		n := strconv.Itoa(l.IOWeight)
		list = append(list, setting{"io", "blkio.weight", n, true}, setting{"io", "blkio.bfq.weight", n, true})
	}
	return list
}

// settings2 are the files of version 2.
func settings2(l Limits) (list []setting) {
	if l.MemoryBytes > 0 {
		list = append(list, setting{"memory", "memory.max", strconv.FormatInt(l.MemoryBytes, 10), false}, setting{"memory", "memory.swap.max", "0", true})
	}
	if l.Pids > 0 {
		list = append(list, setting{"pids", "pids.max", strconv.Itoa(l.Pids), false})
	}
	if l.CPUPercent > 0 {
		list = append(list, setting{"cpu", "cpu.max", fmt.Sprintf("%d %d", l.CPUPercent*period/100, period), true})
	}
	if l.CPUWeight > 0 {
		list = append(list, setting{"cpu", "cpu.weight", strconv.Itoa(l.CPUWeight), true})
	}
	if l.IOWeight > 0 {
		n := strconv.Itoa(l.IOWeight)
		list = append(list, setting{"io", "io.weight", n, true}, setting{"io", "io.bfq.weight", n, true})
	}
	return list
}

func (t *Tree) limit(g *Group, l Limits) error {
	list := settings1(l)
	if t.v2 {
		list = settings2(l)
	}
	for _, s := range list {
		if !t.Has(s.controller) {
			if s.optional {
				continue
			}
			return fmt.Errorf("%w: the controller %s is missing", ErrUnavailable, s.controller)
		}
		err := write(filepath.Join(t.dirs[s.controller], g.name, s.file), s.value)
		// A group's own files belong to its maker; what is not there, the kernel was built without.
		if err != nil && (!s.optional || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)) {
			return err
		}
	}
	return nil
}

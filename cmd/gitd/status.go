package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/libvirt"
)

// hostStatus returns the function that looks at the host for `status`.
func hostStatus(state string, driver *libvirt.Driver) func() (command.HostStatus, error) {
	started := time.Now()
	return func() (command.HostStatus, error) {
		s := command.HostStatus{Accel: driver.Accel(), Started: started, CPUs: runtime.NumCPU()}
		s.Network = driver.Net.Trouble()
		if why, since := driver.Away(); why != "" {
			s.Away = fmt.Sprintf("not seen: libvirt is away since %s (%s), and gitd connects to it by itself",
				since.Format(time.RFC3339), why)
		}
		var name unix.Utsname
		if err := unix.Uname(&name); err != nil {
			return s, err
		}
		s.Kernel = unix.ByteSliceToString(name.Release[:])
		space, err := disk.SpaceOf(state)
		if err != nil {
			return s, fmt.Errorf("state folder: %w", err)
		}
		s.DiskTotal, s.DiskFree = uint64(space.Size), uint64(space.Free)
		memory, err := readMeminfo()
		if err != nil {
			return s, err
		}
		s.MemoryTotal, s.MemoryAvailable = memory.of("MemTotal"), memory.of("MemAvailable")
		return s, nil
	}
}

// meminfo is the text of /proc/meminfo.
type meminfo string

func readMeminfo() (meminfo, error) {
	text, err := os.ReadFile("/proc/meminfo")
	return meminfo(text), err
}

// of is one field, in bytes; 0: there is none.
func (m meminfo) of(field string) uint64 {
	for line := range strings.Lines(string(m)) {
		value, ok := strings.CutPrefix(line, field+":")
		if !ok {
			continue
		}
		kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err == nil {
			return kib << 10
		}
	}
	return 0
}

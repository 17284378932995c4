package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/cgroup"
)

// groups is where this process may make control groups: one for each build, in which the kernel counts all that the
// build takes, buffers of sockets and unmapped shared memory too. nil: nowhere, and then builds are counted.
type groups struct {
	memory, pids string // folders; one and the same in version 2. pids may be empty
	unified      bool   // version 2
}

// findGroups looks where root has prepared groups for gitd's user (package cgroup), then below the groups in which this
// process runs, and, in version 2, beside them, since a group with processes passes no controller on there. What it
// finds has been tried.
func findGroups() *groups {
	own, mounts := ownGroups(), groupMounts()
	var places []*groups
	if t, err := cgroup.Open(); err == nil {
		places = append(places, &groups{memory: t.Folder("memory"), pids: t.Folder("pids"), unified: t.Unified()})
	}
	places = append(places, &groups{memory: below(mounts["memory"], own["memory"]), pids: below(mounts["pids"], own["pids"])})
	if dir := below(mounts[""], own[""]); dir != "" {
		places = append(places, &groups{memory: dir, pids: dir, unified: true})
		if up := filepath.Dir(dir); delegated(up) {
			places = append(places, &groups{memory: up, pids: up, unified: true})
		}
	}
	for _, g := range places {
		if g.memory == "" {
			continue
		}
		if one, err := g.make(1<<30, 1); err == nil {
			one.remove()
			return g
		}
	}
	return nil
}

// delegated reports whether systemd has left the groups in dir to a service or a user, with the mark that it then sets.
func delegated(dir string) bool {
	var mark [1]byte
	n, err := unix.Getxattr(dir, "user.delegate", mark[:])
	return err == nil && n == 1 && mark[0] == '1'
}

func below(mount, own string) string {
	if mount == "" || own == "" {
		return ""
	}
	return filepath.Join(mount, own)
}

// ownGroups is the group of this process, by controller; that of version 2 is that of "".
func ownGroups() map[string]string {
	own := map[string]string{}
	eachLine("/proc/self/cgroup", func(line string) {
		if f := strings.SplitN(line, ":", 3); len(f) == 3 {
			for controller := range strings.SplitSeq(f[1], ",") {
				own[controller] = f[2]
			}
		}
	})
	return own
}

// groupMounts is where control groups are mounted, by controller.
func groupMounts() map[string]string {
	mounts := map[string]string{}
	eachLine("/proc/self/mounts", func(line string) {
		switch f := strings.Fields(line); {
		case len(f) < 4:
		case f[2] == "cgroup2":
			mounts[""] = f[1]
		case f[2] == "cgroup":
			for option := range strings.SplitSeq(f[3], ",") {
				mounts[option] = f[1]
			}
		}
	})
	return mounts
}

func eachLine(file string, do func(line string)) {
	f, err := os.Open(file)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		do(s.Text())
	}
}

// group is the control group of one build.
type group struct {
	dirs    []string // in which processes are put
	events  string   // file that counts what the kernel has ended there
	counted int64    // at the start
}

// make makes a group for a build that may have this many bytes and processes.
func (g *groups) make(memory int64, processes uint64) (one *group, err error) {
	dir, err := os.MkdirTemp(g.memory, "gitd-build-")
	if err != nil {
		return nil, err
	}
	one = &group{dirs: []string{dir}}
	defer func() {
		if err != nil {
			one.remove()
		}
	}()
	limit, most, swap, swapMost := "memory.limit_in_bytes", strconv.FormatInt(memory, 10), "memory.memsw.limit_in_bytes", memory
	one.events = filepath.Join(dir, "memory.oom_control")
	if g.unified {
		limit, swap, swapMost = "memory.max", "memory.swap.max", 0
		one.events = filepath.Join(dir, "memory.events")
	}
	if err := set(dir, limit, most); err != nil {
		return nil, err
	}
	if err := set(dir, swap, strconv.FormatInt(swapMost, 10)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err // it is there only if the kernel counts swap
	}
	if one.counted, err = one.ended(); err != nil {
		return nil, err
	}
	return one, g.limitProcesses(one, processes)
}

// limitProcesses needs no group of its own in version 2. Without the controller, the limit of the user's processes is
// left.
func (g *groups) limitProcesses(one *group, most uint64) error {
	if g.pids == "" {
		return nil
	}
	dir := one.dirs[0]
	if !g.unified {
		var err error
		if dir, err = os.MkdirTemp(g.pids, "gitd-build-"); err != nil {
			return err
		}
		one.dirs = append(one.dirs, dir)
	}
	return set(dir, "pids.max", strconv.FormatUint(most, 10))
}

func set(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0) // never made: a missing one is no control group's
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// add puts a process into the group. What it starts from then on is there too.
func (g *group) add(pid int) error {
	for _, dir := range g.dirs {
		if err := set(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// ended is how many processes the kernel has ended in the group, because it had no more memory.
func (g *group) ended() (n int64, err error) {
	err = fmt.Errorf("%s does not count", g.events)
	eachLine(g.events, func(line string) {
		if word, value, _ := strings.Cut(line, " "); word == "oom_kill" {
			n, err = strconv.ParseInt(value, 10, 64)
		}
	})
	return n, err
}

// over reports whether the build wanted more than the group may have. A nil group never is.
func (g *group) over() bool {
	if g == nil {
		return false
	}
	n, err := g.ended()
	return err == nil && n > g.counted
}

// remove waits for the kernel to let go of processes that have ended. What is left of a group has no process, and is
// named as a group of gitd's.
func (g *group) remove() {
	if g == nil {
		return
	}
	for _, dir := range g.dirs {
		for pause := time.Millisecond; errors.Is(syscall.Rmdir(dir), syscall.EBUSY) && pause < time.Second; pause *= 2 {
			time.Sleep(pause)
		}
	}
}

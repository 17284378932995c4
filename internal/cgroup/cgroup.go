// Package cgroup puts processes that gitd starts into control groups of their own. Limits hold for all processes of a
// group together, whatever they fork and map.
//
// It owns where gitd's groups are, on hosts with version 1, version 2, or both; how root gives that place to the user
// that gitd runs as; and the names of the kernel's files. It does not own which process gets which limits, nor how a
// machine or a build begins.
//
// With version 2, a tree is one folder: that of gitd's own systemd unit, or /sys/fs/cgroup/gitd. The daemon itself is
// in its group "daemon", because a group that has groups below it with limits may hold no process, and because an
// ordinary user may only move processes between groups whose common parent is its own. With version 1 each controller
// has a hierarchy, and a tree is a folder in each.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrUnavailable says that this host has no control groups that gitd may use.
var ErrUnavailable = errors.New("no control groups that gitd may use")

// Limits are what the processes of a group may take together.
type Limits struct {
	MemoryBytes int64 // with the page cache, and without swap; 0: no limit
	Pids        int   // processes and threads; 0: no limit
	CPUPercent  int   // of one core, so 200 are two; 0: no limit
	CPUWeight   int   // 1 to 10,000: the share when all want to run; 0: 100, as everybody
	IOWeight    int   // 1 to 1,000: the share of the disk, where the kernel has one; 0: 100, as everybody
}

// Tree is the place of gitd's groups. It is safe for concurrent use.
type Tree struct {
	v2   bool
	dirs map[string]string // controller → folder; with version 2 all are the same one
}

// Group is one group of a tree.
type Group struct {
	name string
	dirs []string // each once
}

// Has reports whether a controller (memory, pids, cpu, io) can limit the tree's groups.
func (t *Tree) Has(controller string) bool { return t.dirs[controller] != "" }

// Folder is where groups are made that a controller (memory, pids, cpu, io) limits; empty: nowhere.
func (t *Tree) Folder(controller string) string { return t.dirs[controller] }

// Unified reports whether the tree is of version 2.
func (t *Tree) Unified() bool { return t.v2 }

// String is for the log: the version, and the controllers with their folders.
func (t *Tree) String() string {
	version := "version 1"
	if t.v2 {
		version = "version 2"
	}
	var parts []string
	for _, c := range controllers {
		if t.Has(c) {
			parts = append(parts, c+" at "+t.dirs[c])
		}
	}
	return version + ": " + strings.Join(parts, ", ")
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// Make makes a group and sets its limits. What is left of a group of this name is taken over. A limit whose controller
// the host does not have is an error for memory and pids; the shares of processor and disk are best effort.
func (t *Tree) Make(name string, l Limits) (*Group, error) {
	if !goodName.MatchString(name) || name == daemonGroup {
		return nil, fmt.Errorf("%q is no name for a control group", name)
	}
	g := t.group(name)
	for _, dir := range g.dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, errors.Join(err, g.Remove())
		}
	}
	if err := t.limit(g, l); err != nil {
		return nil, errors.Join(fmt.Errorf("limits of control group %s: %w", name, err), g.Remove())
	}
	return g, nil
}

func (t *Tree) group(name string) *Group {
	g := &Group{name: name}
	seen := map[string]bool{}
	for _, c := range controllers {
		if dir := t.dirs[c]; dir != "" && !seen[dir] {
			seen[dir] = true
			g.dirs = append(g.dirs, filepath.Join(dir, name))
		}
	}
	return g
}

// Groups are the names of the groups that exist: those of a gitd that was killed too.
func (t *Tree) Groups() (names []string, err error) {
	seen := map[string]bool{daemonGroup: true}
	for _, c := range controllers {
		entries, err := os.ReadDir(t.dirs[c])
		if err != nil && t.Has(c) {
			return nil, err
		}
		for _, e := range entries {
			if e.IsDir() && !seen[e.Name()] {
				seen[e.Name()] = true
				names = append(names, e.Name())
			}
		}
	}
	return names, nil
}

// Group is a group that exists.
func (t *Tree) Group(name string) *Group { return t.group(name) }

// Enter moves a process into the group, with all its threads. What it started before stays where it is.
func (g *Group) Enter(pid int) error {
	for _, path := range g.Procs() {
		if err := write(path, strconv.Itoa(pid)); err != nil {
			return fmt.Errorf("enter control group %s: %w", g.name, err)
		}
	}
	return nil
}

// Procs are the files to which a process writes 0 to enter the group by itself.
func (g *Group) Procs() (paths []string) {
	for _, dir := range g.dirs {
		paths = append(paths, filepath.Join(dir, "cgroup.procs"))
	}
	return paths
}

// Pids are the processes of the group.
func (g *Group) Pids() ([]int, error) { return pidsOf(g.dirs[0]) }

// Kill ends all processes of the group that this user may end. One that forks while it is looked for is found again.
func (g *Group) Kill() error {
	if err := write(filepath.Join(g.dirs[0], "cgroup.kill"), "1"); err == nil {
		return nil
	}
	const rounds = 100 // a process that forks faster than it is killed meets its limit
	for range rounds {
		pids, err := g.Pids()
		if err != nil || len(pids) == 0 {
			return ignoreMissing(err)
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end process %d: %w", pid, err)
			}
		}
	}
	return nil
}

// leaveLimit bounds how long Remove waits for processes that were killed and have not left yet. The kernel tells of
// that with version 2 only, so Remove tries again.
const leaveLimit = 2 * time.Second

// Remove removes a group whose processes have ended, or are about to.
func (g *Group) Remove() error {
	var errs []error
	for _, dir := range g.dirs {
		errs = append(errs, removeEmpty(dir))
	}
	return errors.Join(errs...)
}

func removeEmpty(dir string) error {
	for end := time.Now().Add(leaveLimit); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Rmdir(dir)
		switch {
		case err == nil || errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, syscall.EBUSY) || time.Now().After(end):
			return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		}
	}
}

// write writes to a file of the kernel's, which is never made.
func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

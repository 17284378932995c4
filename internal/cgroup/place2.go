package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// memory2 is the hierarchy of version 2, if it has the controller for memory. Where both versions are mounted, a
// controller is in one of them.
func (k kernel) memory2() (mount, bool) {
	m, ok := k.find("")
	return m, ok && slices.Contains(controllersOf(m.at), "memory")
}

// prepare2 makes the tree of version 2: in the group of this process, if it is gitd's alone (a unit of systemd, a
// container), else at the top of the hierarchy.
func (k kernel) prepare2(m mount, uid, gid int) (*Tree, error) {
	dir, found := k.mine(m)
	if !found {
		dir = filepath.Join(m.at, k.name)
		if err := errors.Join(enable(m.at), hand(dir, uid, gid)); err != nil {
			return nil, unavailable(err)
		}
	}
	if err := k.settle(dir); err != nil {
		return nil, unavailable(err)
	}
	files := []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	if err := errors.Join(give(dir, uid, gid, files...), give(filepath.Join(dir, daemonGroup), uid, gid, files...)); err != nil {
		return nil, unavailable(err)
	}
	return tree2(dir).checked()
}

// mine returns the folder of the group that is gitd's alone: this process is the only one in it, or it is the top of a
// container. A gitd that was started again in place is in the group "daemon" of it.
func (k kernel) mine(m mount) (dir string, found bool) {
	own := m.folder(k.groups[""])
	if filepath.Base(own) == daemonGroup {
		return filepath.Dir(own), true
	}
	if realRoot(own) {
		return "", false
	}
	pids, err := pidsOf(own)
	alone := err == nil && len(slices.DeleteFunc(pids, func(pid int) bool { return pid == k.pid })) == 0
	return own, own == m.at || alone
}

// realRoot reports whether a folder is the top of the hierarchy of the host: it alone has no type.
func realRoot(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	return errors.Is(err, os.ErrNotExist)
}

// settle moves this process, and those that are in the tree's own group, into the group "daemon", and lets the
// tree's controllers limit the groups below it. Without the first, the kernel refuses the second.
func (k kernel) settle(dir string) error {
	daemon := filepath.Join(dir, daemonGroup)
	if err := os.Mkdir(daemon, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	procs := filepath.Join(daemon, "cgroup.procs")
	pids, err := pidsOf(dir)
	if err != nil {
		return err
	}
	for _, pid := range append(pids, k.pid) {
		err := write(procs, strconv.Itoa(pid))
		if err != nil && (pid == k.pid || !errors.Is(err, syscall.ESRCH)) { // one that has ended needs no move
			return err
		}
	}
	return enable(dir)
}

// enable lets a group's controllers limit the groups below it: those that gitd uses and that are not enabled yet.
func enable(dir string) error {
	on, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return err
	}
	enabled := strings.Fields(string(on))
	var errs []error
	for _, c := range controllersOf(dir) {
		if slices.Contains(controllers, c) && !slices.Contains(enabled, c) {
			errs = append(errs, write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c))
		}
	}
	return errors.Join(errs...)
}

func controllersOf(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// tree2 is the tree at a folder, with the controllers that limit its groups.
func tree2(dir string) *Tree {
	t := &Tree{v2: true, dirs: map[string]string{}}
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	if err != nil {
		return t
	}
	for c := range strings.FieldsSeq(string(text)) {
		if slices.Contains(controllers, c) {
			t.dirs[c] = dir
		}
	}
	return t
}

// open2 finds the tree of version 2. A group that systemd has delegated is settled at the first start.
func (k kernel) open2(m mount) (*Tree, error) {
	dir, found := k.mine(m)
	if !found || !writable(dir) {
		return nil, fmt.Errorf("%w: neither root nor systemd has given any to this user", ErrUnavailable)
	}
	if err := k.settle(dir); err != nil {
		return nil, unavailable(err)
	}
	return tree2(dir).checked()
}

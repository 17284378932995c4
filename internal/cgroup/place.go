package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// daemonGroup is where the daemon itself is, with version 2.
const daemonGroup = "daemon"

// ownGroup is the folder of gitd's groups where the daemon has no group to itself.
const ownGroup = "gitd"

// controllers are those that gitd uses, by their names in version 2; names1 are those of version 1.
var controllers = []string{"memory", "pids", "cpu", "io"}

var names1 = map[string]string{"memory": "memory", "pids": "pids", "cpu": "cpu", "io": "blkio"}

// kernel is what /proc tells of this process: its mounts and its groups.
type kernel struct {
	mounts []mount
	groups map[string]string // controller of version 1, or "" for version 2 → path in its hierarchy
	pid    int
	name   string // of the folder of gitd's groups
}

// mount is one mount of a hierarchy.
type mount struct {
	at          string
	root        string   // the group that is seen at its top
	controllers []string // of version 1; nil: version 2
}

func readKernel() (kernel, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return kernel{}, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return kernel{}, err
	}
	return kernel{parseMounts(string(mounts)), parseGroups(string(groups)), os.Getpid(), ownGroup}, nil
}

// parseMounts reads /proc/PID/mountinfo, which proc(5) describes. The last of several mounts at a place is on top.
func parseMounts(text string) (list []mount) {
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		f, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(kind) < 3 {
			continue
		}
		m := mount{root: f[3], at: f[4]}
		switch kind[0] {
		case "cgroup2":
		case "cgroup":
			m.controllers = strings.Split(kind[2], ",")
		default:
			continue
		}
		list = slices.DeleteFunc(list, func(o mount) bool { return o.at == m.at })
		list = append(list, m)
	}
	return list
}

// parseGroups reads /proc/PID/cgroup, which cgroups(7) describes.
func parseGroups(text string) map[string]string {
	groups := map[string]string{}
	for line := range strings.Lines(text) {
		part := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(part) != 3 {
			continue
		}
		for name := range strings.SplitSeq(part[1], ",") {
			groups[name] = part[2]
		}
	}
	return groups
}

// find returns the mount of a controller of version 1, or of version 2 ("").
func (k kernel) find(controller string) (mount, bool) {
	i := slices.IndexFunc(k.mounts, func(m mount) bool {
		return controller == "" && m.controllers == nil || slices.Contains(m.controllers, controller)
	})
	if i < 0 {
		return mount{}, false
	}
	return k.mounts[i], true
}

// folder is where a group of a hierarchy is seen. In a container, the mount may show the container's group at its top,
// while the kernel names the group as the host sees it; what is not seen at all is above the top.
func (m mount) folder(group string) string {
	if rest, ok := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/")); ok && (rest == "" || rest[0] == '/') {
		group = rest
	}
	dir := filepath.Join(m.at, path.Clean("/"+group))
	if _, err := os.Stat(dir); err != nil {
		return m.at
	}
	return dir
}

// Prepare makes the tree and gives it to the user that gitd will run as. Only root can. An error wraps ErrUnavailable
// if the host has no groups for gitd, as in most containers.
func Prepare(uid, gid int) (*Tree, error) {
	k, err := readKernel()
	if err != nil {
		return nil, err
	}
	return k.prepare(uid, gid)
}

func (k kernel) prepare(uid, gid int) (*Tree, error) {
	if m, ok := k.memory2(); ok {
		return k.prepare2(m, uid, gid)
	}
	return k.prepare1(uid, gid)
}

// prepare1 makes a folder in each hierarchy of version 1, below the group of this process: limits of a container stay
// in force.
func (k kernel) prepare1(uid, gid int) (*Tree, error) {
	t := &Tree{dirs: map[string]string{}}
	for _, c := range controllers {
		m, ok := k.find(names1[c])
		if !ok {
			continue
		}
		dir := filepath.Join(m.folder(k.groups[names1[c]]), k.name)
		if err := hand(dir, uid, gid, "cgroup.procs", "tasks"); err != nil {
			return nil, unavailable(err)
		}
		t.dirs[c] = dir
	}
	return t.checked()
}

// hand makes a group and gives it, and those of its files by which groups are made and entered, to a user. Its limits
// stay root's.
func hand(dir string, uid, gid int, files ...string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return give(dir, uid, gid, files...)
}

func give(dir string, uid, gid int, files ...string) error {
	errs := []error{os.Chown(dir, uid, gid)}
	for _, name := range files {
		errs = append(errs, ignoreMissing(os.Chown(filepath.Join(dir, name), uid, gid)))
	}
	return errors.Join(errs...)
}

// Open finds the tree that root has prepared, or that systemd has delegated (Delegate=yes in the unit). An error wraps
// ErrUnavailable if there is none.
func Open() (*Tree, error) {
	k, err := readKernel()
	if err != nil {
		return nil, err
	}
	return k.open()
}

func (k kernel) open() (*Tree, error) {
	if m, ok := k.memory2(); ok {
		return k.open2(m)
	}
	t := &Tree{dirs: map[string]string{}}
	for _, c := range controllers {
		m, ok := k.find(names1[c])
		dir := filepath.Join(m.folder(k.groups[names1[c]]), k.name)
		if ok && writable(dir) {
			t.dirs[c] = dir
		}
	}
	return t.checked()
}

// checked returns the tree if it can limit memory: without that, a group is worth nothing to gitd.
func (t *Tree) checked() (*Tree, error) {
	if !t.Has("memory") {
		return nil, fmt.Errorf("%w: none for memory", ErrUnavailable)
	}
	return t, nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// writable reports whether this process may make groups in a folder.
func writable(dir string) bool {
	const write, enter = 2, 1
	return syscall.Access(dir, write|enter) == nil
}

// pidsOf are the processes of a group's folder.
func pidsOf(dir string) (pids []int, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 0 { // 0: one of another process namespace
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

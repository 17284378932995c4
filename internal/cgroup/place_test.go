package cgroup

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// What /proc/self/mountinfo says of control groups on hosts of each kind.
const (
	mounts1 = `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
39 31 0:36 /docker/abc /sys/fs/cgroup/pids ro,relatime - cgroup cgroup rw,pids
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	mounts2 = `30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate
`
)

func TestParse(t *testing.T) {
	got := parseMounts(mounts1)
	want := []mount{
		{at: "/sys/fs/cgroup/cpu,cpuacct", root: "/", controllers: []string{"rw", "cpu", "cpuacct"}},
		{at: "/sys/fs/cgroup/memory", root: "/", controllers: []string{"rw", "memory"}},
		{at: "/sys/fs/cgroup/pids", root: "/docker/abc", controllers: []string{"rw", "pids"}},
		{at: "/sys/fs/cgroup/systemd", root: "/", controllers: []string{"rw", "name=systemd"}},
		{at: "/sys/fs/cgroup/unified", root: "/"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("mounts %+v", got)
	}
	over := parseMounts(mounts2 + "50 30 0:99 /x /sys/fs/cgroup ro - cgroup2 cgroup2 ro\n")
	if len(over) != 1 || over[0].root != "/x" {
		t.Errorf("the mount on top is not the one that counts: %+v", over)
	}
	groups := parseGroups("9:name=systemd:/\n4:cpu,cpuacct:/a:b\n0::/system.slice/gitd.service\nrubbish\n")
	if !maps.Equal(groups, map[string]string{"name=systemd": "/", "cpu": "/a:b", "cpuacct": "/a:b", "": "/system.slice/gitd.service"}) {
		t.Errorf("groups %q", groups)
	}
}

// TestFolder: what a container sees of its own group.
func TestFolder(t *testing.T) {
	at := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(at, "a/b"), 0o755))
	for _, c := range []struct{ root, group, want string }{
		{"/", "/a/b", "a/b"},
		{"/", "/", ""},
		{"/docker/abc", "/docker/abc", ""},
		{"/docker/abc", "/docker/abc/a", "a"},
		{"/docker/abc", "/docker/abcdef", ""}, // another one's
		{"/docker/abc", "/elsewhere", ""},
		{"/", "/../../a", "a"},
	} {
		if got := (mount{at: at, root: c.root}).folder(c.group); got != filepath.Join(at, c.want) {
			t.Errorf("%s below %s is at %s", c.group, c.root, got)
		}
	}
}

// fake2 makes folders that look like a hierarchy of version 2; the kernel would make their files by itself.
func fake2(t *testing.T, groups ...string) string {
	t.Helper()
	top := t.TempDir()
	for _, g := range append(groups, ".") {
		g = filepath.Clean(g)
		dir := filepath.Join(top, g)
		check(t, os.MkdirAll(dir, 0o755))
		for name, text := range map[string]string{
			"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.subtree_control": "io memory pids cpu\n", "cgroup.procs": "", "cgroup.type": "domain\n",
		} {
			if g != "." || name != "cgroup.type" {
				check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
			}
		}
	}
	return top
}

func kernel2(top, group string) kernel {
	return kernel{mounts: []mount{{at: top, root: "/"}}, groups: map[string]string{"": group}, pid: 4711, name: "gitd"}
}

// TestPlace2: where the tree is with version 2.
func TestPlace2(t *testing.T) {
	for name, c := range map[string]struct {
		group, procs string // of this process, and who else is in it
		container    bool   // the top of the hierarchy is not the host's
		want         string
	}{
		"a unit of its own":              {"/system.slice/gitd.service", "4711\n", false, "system.slice/gitd.service"},
		"a shell's group":                {"/user.slice/session-1", "4711\n17\n", false, "gitd"},
		"the top":                        {"/", "4711\n1\n", false, "gitd"},
		"a container":                    {"/", "1\n4711\n", true, "."},
		"started again":                  {"/gitd/daemon", "4711\n12\n", false, "gitd"},
		"started again in its own group": {"/system.slice/gitd.service/daemon", "4711\n", false, "system.slice/gitd.service"},
	} {
		t.Run(name, func(t *testing.T) {
			top := fake2(t, "."+c.group, c.want, c.want+"/daemon")
			own := filepath.Join(top, c.group)
			check(t, os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte(c.procs), 0o644))
			if c.container {
				check(t, os.WriteFile(filepath.Join(top, "cgroup.type"), []byte("domain\n"), 0o644))
			}
			tree, err := kernel2(top, c.group).prepare(os.Getuid(), os.Getgid())
			check(t, err)
			if got := tree.dirs["memory"]; got != filepath.Join(top, c.want) {
				t.Fatalf("the tree is %s", tree)
			}
			if text, _ := os.ReadFile(filepath.Join(top, c.want, "daemon/cgroup.procs")); !strings.Contains(string(text), "4711") {
				t.Errorf("the daemon is not in its group: %q", text)
			}
			k := kernel2(top, "/"+c.want+"/daemon")
			if again, err := k.open(); err != nil || again.dirs["pids"] != tree.dirs["pids"] {
				t.Errorf("the user finds %v, %v", again, err)
			}
		})
	}
}

// TestEnable: a controller that is enabled already is not enabled again, and one that gitd does not use never is.
func TestEnable(t *testing.T) {
	top := fake2(t)
	path := filepath.Join(top, "cgroup.subtree_control")
	check(t, os.WriteFile(path, []byte("cpu memory io\n"), 0o644))
	check(t, enable(top))
	// The kernel would add what is written to the list.
	if text, _ := os.ReadFile(path); !strings.HasPrefix(string(text), "+pids") {
		t.Errorf("written: %q", text)
	}
}

func TestNone(t *testing.T) {
	empty := fake2(t)
	check(t, os.WriteFile(filepath.Join(empty, "cgroup.controllers"), nil, 0o644))
	for name, k := range map[string]kernel{
		"nothing is mounted":           {},
		"version 2 has no controllers": kernel2(empty, "/"),
	} {
		_, err := k.prepare(os.Getuid(), os.Getgid())
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := k.open(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s, to the user: %v", name, err)
		}
	}
}

func TestSettings(t *testing.T) {
	l := Limits{MemoryBytes: 64 << 20, Pids: 7, CPUPercent: 150, CPUWeight: 50, IOWeight: 10}
	lines := func(list []setting) (lines []string) {
		for _, s := range list {
			lines = append(lines, s.controller+" "+s.file+"="+s.value)
		}
		return lines
	}
	if got := lines(settings1(l)); !slices.Equal(got, []string{
		"memory memory.limit_in_bytes=67108864", "memory memory.memsw.limit_in_bytes=67108864", "pids pids.max=7",
		"cpu cpu.cfs_quota_us=150000", "cpu cpu.shares=512", "io blkio.weight=10", "io blkio.bfq.weight=10",
	}) {
		t.Errorf("version 1: %q", got)
	}
	if got := lines(settings2(l)); !slices.Equal(got, []string{
		"memory memory.max=67108864", "memory memory.swap.max=0", "pids pids.max=7",
		"cpu cpu.max=150000 100000", "cpu cpu.weight=50", "io io.weight=10", "io io.bfq.weight=10",
	}) {
		t.Errorf("version 2: %q", got)
	}
	if got := append(settings1(Limits{}), settings2(Limits{})...); len(got) != 0 {
		t.Errorf("no limits are %+v", got)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

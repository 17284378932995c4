package cgroup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The test binary runs itself as the user of gitd, and there plays the daemon, or a process in a group.
const roleVar = "CGROUP_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVar); role {
	case "":
		os.Exit(m.Run())
	case "daemon":
		exit(daemon(os.Args[1]))
	case "fork":
		exit(fork())
	case "eat":
		eat()
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serviceID is a user that is nobody's.
const serviceID = 58490

// TestLimits uses the host's own control groups, as root prepares them and an ordinary user then uses them: a group
// holds what its processes fork and what they map, another user can make none, and nothing is left behind.
func TestLimits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can prepare control groups")
	}
	k := testKernel(t)
	tree, err := k.prepare(serviceID, serviceID)
	if errors.Is(err, ErrUnavailable) {
		t.Skip(err)
	}
	check(t, err)
	t.Log(tree)
	t.Cleanup(func() { removeTree(t, tree) })
	self := reachable(t)
	name := fmt.Sprintf("test-%d", os.Getpid())
	if out, err := as(serviceID, "daemon", self, name).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, c := range controllers {
		if _, err := os.Stat(filepath.Join(tree.dirs[c], name)); tree.Has(c) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a group is left in %s: %v", tree.dirs[c], err)
		}
	}
	if out, err := as(serviceID+1, "daemon", self, name).CombinedOutput(); err == nil || !strings.Contains(string(out), ErrUnavailable.Error()) {
		t.Errorf("another user can use gitd's groups: %v\n%s", err, out)
	}
}

// testTree is not the tree of a gitd that runs on this host.
const testTree = "gitd-test"

func testKernel(t *testing.T) kernel {
	t.Helper()
	k, err := readKernel()
	check(t, err)
	k.name = testTree
	return k
}

func removeTree(t *testing.T, tree *Tree) {
	for _, dir := range tree.dirs {
		os.Remove(filepath.Join(dir, daemonGroup)) //nolint:errcheck // with version 2, this process is in it
		if err := os.Remove(dir); err != nil && !tree.v2 && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}

// reachable is a copy of this program where every user can run it.
func reachable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cgroup-test")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755))
	text, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	path := filepath.Join(dir, "test")
	check(t, os.WriteFile(path, text, 0o755))
	return path
}

func as(uid uint32, role, self string, args ...string) *exec.Cmd {
	cmd := exec.Command(self, args...)
	cmd.Dir = "/"
	cmd.Env = []string{roleVar + "=" + role}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return cmd
}

// in starts a role in a group: a shell enters the group by itself and then becomes the role, so that all of it counts.
func in(g *Group, role string) *exec.Cmd {
	script := `for f; do echo 0 >"$f" || exit 9; done; exec "$0"`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, os.Args[0]}, g.Procs()...)...)
	cmd.Env = []string{roleVar + "=" + role, "GOMAXPROCS=1"}
	return cmd
}

// daemon is what gitd does, as the user.
func daemon(name string) error {
	k, err := readKernel()
	if err != nil {
		return err
	}
	k.name = testTree
	tree, err := k.open()
	if err != nil {
		return err
	}
	if _, err := tree.Make("../x", Limits{}); err == nil {
		return errors.New("a group outside the tree was made")
	}
	g, err := tree.Make(name, Limits{MemoryBytes: 64 << 20, Pids: 30, CPUPercent: 100, CPUWeight: 10, IOWeight: 10})
	if err != nil {
		return err
	}
	return errors.Join(holds(tree, g, name), g.Kill(), g.Remove())
}

func holds(tree *Tree, g *Group, name string) error {
	names, err := tree.Groups()
	if err != nil || !slices.Contains(names, name) {
		return fmt.Errorf("the group is not in the list %q: %w", names, err)
	}
	if out, err := in(g, "fork").CombinedOutput(); err != nil || !strings.Contains(string(out), "no more") {
		return fmt.Errorf("a group for 30 processes: %w\n%s", err, out)
	}
	err = in(g, "eat").Run()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return fmt.Errorf("a group for 64 MiB was not held: %w", err)
	}
	return entered(tree, g)
}

// entered: a process that runs already is moved, and killed with the group.
func entered(tree *Tree, g *Group) error {
	cmd := exec.Command("/bin/sleep", "600")
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := g.Enter(cmd.Process.Pid); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", cmd.Process.Pid))
	if tree.Has("pids") && !bytes.Contains(text, []byte(g.name)) {
		err = errors.Join(err, fmt.Errorf("the process is in %s", text))
	}
	pids, listed := g.Pids()
	if !slices.Equal(pids, []int{cmd.Process.Pid}) {
		err = errors.Join(err, listed, fmt.Errorf("the group has the processes %d", pids))
	}
	err = errors.Join(err, g.Kill())
	cmd.Wait() //nolint:errcheck // it was killed
	return err
}

// fork starts processes until the group holds no more, and ends them.
func fork() error {
	for n := range 60 {
		cmd := exec.Command("/bin/sleep", "600")
		if err := cmd.Start(); err != nil {
			fmt.Printf("no more after %d: %v\n", n, err)
			return nil
		}
		defer cmd.Process.Kill() //nolint:errcheck // it is its end
	}
	return errors.New("60 processes were started")
}

// eat maps and touches 256 MiB.
func eat() {
	var all [][]byte
	for range 256 {
		all = append(all, bytes.Repeat([]byte{1}, 1<<20))
	}
	fmt.Println(len(all), "MiB")
}

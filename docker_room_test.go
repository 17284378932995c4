package gitd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// roomVar names the room's root to the process inside.
const roomVar = "GITD_DOCKER_ROOM"

// TestMain lets the test binary be process 1 of the room.
func TestMain(m *testing.M) {
	if root := os.Getenv(roomVar); root != "" {
		if err := enterRoom(root); err != nil {
			fmt.Fprintln(os.Stderr, "the room of TestDocker:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// room is a Debian with a Docker engine, where TestDocker runs: with processes, mounts and a network of its own. So
// nothing is installed on the host, no service is started there, and the engine's bridges, addresses and firewall rules
// are in a network that ends with the room. The room's way out is slirp4netns, a process that makes connections for it.
type room struct {
	root string
	id   string // the name of its control groups
}

// newRoom unpacks the Debian of a release, with its Docker and docker-compose. It holds the host's Go and certificates,
// from which the images are made.
func newRoom(ctx context.Context, t *testing.T, release string) *room {
	t.Helper()
	debian := debianTar(ctx, t, release)
	packages := []string{"docker.io", "docker-compose", "git", "iproute2", "iptables", "openssh-client"}
	if release != "bookworm" {
		packages = append(packages, "docker-buildx", "docker-cli") // one package with docker.io before
	}
	packed := cachedRoot(ctx, t, release+"-docker", func(root string) {
		host(ctx, t, "tar", "-x", "--numeric-owner", "-f", debian, "-C", root)
		inRoot(ctx, t, root, "apt-get", "-qq", "update")
		inRoot(ctx, t, root, append([]string{"apt-get", "-qq", "install", "-y", "--no-install-recommends"}, packages...)...)
	})
	r := &room{unpack(ctx, t, packed), "gitd-test-" + strconv.Itoa(os.Getpid())}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(r.root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("etc/resolv.conf", "nameserver 10.0.2.3\n") // slirp4netns asks the host's
	write("etc/hosts", "127.0.0.1 localhost\n")
	for _, dir := range []string{"src", "go", "bases", "host"} {
		if err := os.Mkdir(filepath.Join(r.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The image is a bookworm, whatever the engine's Debian is.
	copyFile(t, debianTar(ctx, t, "bookworm"), filepath.Join(r.root, "bases/debian.tar"))
	copyFile(t, "/etc/ssl/certs/ca-certificates.crt", filepath.Join(r.root, "bases/certificates/host.crt"))
	return r
}

// run runs the test of this name in the room, and fails if it fails. Whatever it has started ends with it.
func (r *room) run(ctx context.Context, t *testing.T, test string) {
	t.Helper()
	defer r.removeGroups(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, "-test.v", "-test.run", "^"+test+"$")
	cmd.Env = append(proxies(), roomVar+"="+r.root, "GITD_DOCKER_GROUP="+r.id, "CGROUPS="+os.Getenv("CGROUPS"), "HOME=/root", "LC_ALL=C.UTF-8",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	for _, name := range []string{"GOROOT", "GOPROXY"} {
		cmd.Env = append(cmd.Env, name+"="+goEnv(ctx, t, name))
	}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	runtime.LockOSThread() // the room ends with its parent, and to the kernel that is the thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	begin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop, err := connectRoom(cmd.Process.Pid)
	begin.Close() // now it may begin
	if err != nil {
		cmd.Process.Kill() //nolint:errcheck // its end is waited for
	}
	if endErr := cmd.Wait(); err == nil {
		stop()
		err = endErr
	}
	if err != nil {
		t.Fatalf("%s in the room: %v", test, err)
	}
}

// connectRoom gives the network of a process a way out, and returns how to end it.
func connectRoom(pid int) (stop func(), err error) {
	ready, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	cmd := exec.Command("slirp4netns", "--configure", "--disable-host-loopback", "--ready-fd=3", strconv.Itoa(pid), "tap0")
	cmd.ExtraFiles = []*os.File{theirs}
	var said bytes.Buffer
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Kill() //nolint:errcheck // its end is waited for
		cmd.Wait()         //nolint:errcheck // it was killed
	}
	if one, err := io.ReadAll(ready); err != nil || len(one) == 0 {
		stop()
		return nil, fmt.Errorf("slirp4netns did not get ready: %w\n%s", err, said.Bytes())
	}
	return stop, nil
}

// removeGroups removes the control groups that the engine made: the only thing of it that is not in the room.
func (r *room) removeGroups(t *testing.T) {
	t.Helper()
	tops, err := filepath.Glob("/sys/fs/cgroup/*/" + r.id)
	if err != nil {
		t.Fatal(err)
	}
	for _, top := range append(tops, "/sys/fs/cgroup/"+r.id) {
		var dirs []string
		filepath.WalkDir(top, func(path string, d os.DirEntry, err error) error { //nolint:errcheck // there may be none
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			if err := unix.Rmdir(dir); err != nil {
				t.Error("control group", dir, err)
			}
		}
	}
}

type mount struct {
	from, to, kind string
	flags          uintptr
}

func goEnv(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(ctx, "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out[:max(len(out)-1, 0)])
}

// enterRoom makes root the root of this process, which is the first of its namespaces, and shows it this repository at
// /src and Go at /go. It returns when the room is connected.
func enterRoom(root string) error {
	src, err := os.Getwd()
	if err != nil {
		return err
	}
	mounts := []mount{
		{"", "/", "", unix.MS_REC | unix.MS_PRIVATE},
		{root, root, "", unix.MS_BIND},
		{"proc", root + "/proc", "proc", 0},
		{"/dev", root + "/dev", "", unix.MS_BIND | unix.MS_REC},
		{"/sys", root + "/sys", "", unix.MS_BIND | unix.MS_REC},
		{"run", root + "/run", "tmpfs", 0},
		{src, root + "/src", "", unix.MS_BIND},
		{os.Getenv("GOROOT"), root + "/go", "", unix.MS_BIND},
	}
	if os.Getenv("CGROUPS") == "2" { // where the host has others
		mounts = append(mounts, mount{"cgroup2", root + "/sys/fs/cgroup", "cgroup2", 0})
	}
	for _, m := range mounts {
		if err := unix.Mount(m.from, m.to, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.to, err)
		}
	}
	if err := unix.PivotRoot(root, root+"/host"); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/src"); err != nil {
		return err
	}
	if err := unix.Unmount("/host", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the host's files: %w", err)
	}
	_, err = io.ReadAll(os.Stdin)
	return err
}

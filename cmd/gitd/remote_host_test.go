package main

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
	unpacking "github.com/nodeos-dev/gitd/internal/unpack"
)

// farHost is a second host, as far as files go: Debian's sshd beside a libvirtd, in the mount namespace of that. The
// state folder of this host is not in it, and its own folders are not seen from here by their names.
type farHost struct {
	*libvirtdtest.Daemon

	t     *testing.T
	dir   string // of the daemon
	login string // the folder of the client: its key, its configuration, and ssh with it
	sshd  string
	port  int
	cmd   *exec.Cmd
	out   *lines
	state string // of the gitd that has machines here; set once there is one
}

// farName is what the client's configuration calls the host.
const farName = "farhost"

func newFarHost(t *testing.T) *farHost {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	h := &farHost{Daemon: libvirtdtest.New(t), t: t, port: port, out: &lines{}}
	h.dir = h.Dir()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := unpacking.Packages(t.Context(), filepath.Join(cache, "gitd-openssh"), "openssh-server", "libwrap0")
	if err != nil {
		t.Fatal(err)
	}
	h.sshd = filepath.Join(h.dir, "bin")
	h.copy(root, h.sshd)
	h.login = filepath.Join(h.dir, "login")
	for _, dir := range []string{"login", "run/sshd", "run/libvirt"} {
		if err := os.MkdirAll(filepath.Join(h.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// virt-ssh-helper knows this path only.
	for name, to := range map[string]string{"var/run": "/run", "run/libvirt/libvirt-sock": h.Socket()} {
		if err := os.Symlink(to, filepath.Join(h.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	h.keys(t)
	t.Cleanup(h.cleanup)
	return h
}

func (h *farHost) copy(root, to string) {
	h.t.Helper()
	if out, err := exec.Command("cp", "-a", root, to).CombinedOutput(); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
}

// keys makes the keys of the host and of gitd's user there, and what both sides know of each other.
func (h *farHost) keys(t *testing.T) {
	t.Helper()
	for _, name := range []string{"login/id", "hostkey"} {
		if err := keygen(h.dir, name); err != nil {
			t.Fatal(err)
		}
	}
	h.write("authorized", h.read("login/id.pub"))
	h.knows(h.read("hostkey.pub"))
	passwd := h.read("etc/passwd")
	if !strings.Contains(passwd, "\nsshd:") {
		h.write("etc/passwd", passwd+"sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n")
	}
	h.write("etc/shadow", "root:*:20000:0:99999:7:::\n") // without a password, and not locked
	h.write("sshd_config", fmt.Sprintf("ListenAddress 127.0.0.1:%d\nHostKey %s/hostkey\nAuthorizedKeysFile %[2]s/authorized\n"+
		"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nMaxStartups 100\nSubsystem sftp internal-sftp\n", h.port, h.dir))
	h.write("login/config", fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %d\n  IdentityFile %s/id\n  IdentitiesOnly yes\n"+
		"  HostKeyAlias %[1]s\n  UserKnownHostsFile %[3]s/known\n  GlobalKnownHostsFile none\n", farName, h.port, h.login))
	h.write("login/ssh", fmt.Sprintf("#!/bin/sh\nexec ssh -F %s/config \"$@\"\n", h.login))
	if err := os.Chmod(filepath.Join(h.login, "ssh"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.give()
}

// give has the client's files be of the user that gitd runs as.
func (h *farHost) give() {
	h.t.Helper()
	if out, err := exec.Command("chown", "-R", serviceUser, h.login).CombinedOutput(); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
}

func (h *farHost) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *farHost) read(name string) string {
	h.t.Helper()
	b, err := os.ReadFile(filepath.Join(h.dir, name))
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

// knows writes the key by which the client knows the host; empty: none.
func (h *farHost) knows(key string) {
	h.t.Helper()
	h.write("login/known", "")
	if key != "" {
		h.write("login/known", farName+" "+key)
	}
}

func (h *farHost) uri() string {
	return "qemu+ssh://root@" + farName + "/system?command=" + filepath.Join(h.login, "ssh")
}

// begin starts libvirtd and sshd. hidden are folders that are empty there.
func (h *farHost) begin(hidden ...string) {
	h.t.Helper()
	for _, dir := range hidden {
		h.Args = append(h.Args, "--tmpfs", dir)
	}
	h.Start()
	h.listen()
}

// listen starts sshd where libvirtd is, and waits until it takes connections.
func (h *farHost) listen() {
	h.t.Helper()
	pid := strings.TrimSpace(h.read("pid"))
	h.cmd = exec.Command("nsenter", "--mount", "--target", pid, "--", filepath.Join(h.sshd, "usr/sbin/sshd"), "-D", "-e", "-f", filepath.Join(h.dir, "sshd_config"))
	libs, err := filepath.Glob(filepath.Join(h.sshd, "usr/lib/*-linux-gnu"))
	if err != nil || len(libs) == 0 {
		h.t.Fatalf("no libraries of sshd: %v", err)
	}
	h.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH=" + libs[0]}
	h.cmd.Stdout, h.cmd.Stderr = h.out, h.out
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	for limit := time.Now().Add(eventLimit); ; time.Sleep(10 * time.Millisecond) { // there is no event for a socket
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.port))
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(limit) {
			h.t.Fatalf("sshd does not start: %v\n%s", err, h.out)
		}
	}
}

// cut ends all SSH connections, as a network does that forgets them. sshd goes on.
func (h *farHost) cut() (n int) {
	h.t.Helper()
	for _, pid := range h.children(h.cmd.Process.Pid) {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

func (h *farHost) children(parent int) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// silence ends sshd and its connections.
func (h *farHost) silence() {
	h.t.Helper()
	if h.cmd == nil {
		return
	}
	all := h.children(h.cmd.Process.Pid)
	h.cmd.Process.Kill() //nolint:errcheck // it may have ended
	for _, pid := range all {
		syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
	}
	h.cmd.Wait() //nolint:errcheck // it was killed; its connections have its output too, so this is last
	h.cmd = nil
}

// root is the folder of the gitd there.
func (h *farHost) root() string {
	id, err := os.ReadFile(filepath.Join(h.state, "libvirt/remote-id"))
	return "/var/lib/gitd-machines/" + cmp.Or(strings.TrimSpace(string(id)), map[bool]string{true: "none", false: ""}[err != nil])
}

// files are the files of the gitd there, below a folder.
func (h *farHost) files(t *testing.T, dir string) (names []string) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(h.dir, h.root(), dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		names = append(names, f.Name())
	}
	return names
}

// qemus are the machines that run there.
func (h *farHost) qemus() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), h.root()) && strings.HasPrefix(filepath.Base(strings.SplitN(string(text), "\x00", 2)[0]), "qemu-system") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func (h *farHost) cleanup() {
	if h.t.Failed() {
		h.t.Logf("sshd said:\n%s", h.out)
	}
	h.silence()
	for _, pid := range h.qemus() {
		syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it may have ended
	}
}

package gitd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a Debian that runs as on a server: systemd is its first process (systemd-nspawn), and it has a network and
// control groups of its own. Nothing is installed on the host.
type server struct {
	t     *testing.T
	root  string
	id    string // of its network and its control group
	nspan *exec.Cmd
	first int // its systemd, as the host numbers it; 0: it is off
	out   func()
}

// newServer unpacks a fresh Debian of a release, as its installer leaves it, and boots it.
func newServer(ctx context.Context, t *testing.T, release string) *server {
	t.Helper()
	debian := debianTar(ctx, t, release)
	packed := cachedRoot(ctx, t, release+"-server", func(root string) {
		host(ctx, t, "tar", "-x", "--numeric-owner", "-f", debian, "-C", root)
		inRoot(ctx, t, root, "apt-get", "-qq", "update")
		inRoot(ctx, t, root, "apt-get", "-qq", "install", "-y", "--no-install-recommends", "systemd", "systemd-sysv", "dbus", "curl", "iproute2", "procps")
	})
	s := &server{t: t, root: unpack(ctx, t, packed), id: "gitd-deb-" + strconv.Itoa(os.Getpid())}
	for name, text := range map[string]string{
		"etc/resolv.conf": "nameserver 10.0.2.3\n", "etc/hosts": "127.0.0.1 localhost\n10.0.2.100 example.test app.example.test\n",
		"etc/machine-id": "",
	} {
		if err := os.WriteFile(filepath.Join(s.root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, "/etc/ssl/certs/ca-certificates.crt", filepath.Join(s.root, "usr/local/share/ca-certificates/host.crt"))
	t.Cleanup(s.off)
	s.on(ctx)
	return s
}

// boot is the script around systemd-nspawn: control groups as a host with systemd has them, whatever this host has.
const boot = `set -e
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
	umount -l /sys/fs/cgroup
	mount -t cgroup2 none /sys/fs/cgroup
fi
mkdir "/sys/fs/cgroup/$2"
echo $$ >"/sys/fs/cgroup/$2/cgroup.procs"
exec env SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=yes systemd-nspawn --quiet --register=no --keep-unit \
	--console=pipe --kill-signal=SIGRTMIN+3 --network-namespace-path="/run/netns/$2" --capability=all --directory="$1" --boot`

// on boots it, and waits until systemd has started what it starts.
func (s *server) on(ctx context.Context) {
	s.t.Helper()
	if out, err := exec.CommandContext(ctx, "ip", "netns", "add", s.id).CombinedOutput(); err != nil {
		s.t.Fatalf("ip netns add: %v\n%s", err, out)
	}
	// It is shut down by off: a machine of a test that is over must not be left without its supervisor.
	s.nspan = exec.CommandContext(context.WithoutCancel(ctx), "unshare", "--mount", "--propagation", "private", "sh", "-c", boot, "sh", s.root, s.id)
	var said bytes.Buffer
	s.nspan.Stdout, s.nspan.Stderr = &said, &said
	s.nspan.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.nspan.Start(); err != nil {
		s.t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); s.first == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			s.t.Fatalf("systemd does not start: %s", said.Bytes())
		}
		s.first = s.systemd()
	}
	var err error
	if s.out, err = connectRoom(s.first); err != nil {
		s.t.Fatal(err)
	}
	// Degraded: a unit that has nothing to do in a container has failed.
	s.run(ctx, "timeout 90 sh -c 'until systemctl is-system-running --wait 2>/dev/null | grep -qE \"running|degraded\"; do sleep 0.1; done'")
}

// systemd is the first process of the server: the child of systemd-nspawn that has become init.
func (s *server) systemd() int {
	procs, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.nspan.Process.Pid), "task", strconv.Itoa(s.nspan.Process.Pid), "children"))
	if err != nil {
		return 0
	}
	for pid := range strings.FieldsSeq(string(procs)) {
		line, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		program, _, _ := bytes.Cut(line, []byte{0})
		if n, atoiErr := strconv.Atoi(pid); err == nil && atoiErr == nil && (strings.HasSuffix(string(program), "/init") || strings.HasSuffix(string(program), "systemd")) {
			return n
		}
	}
	return 0
}

// powerOff is SIGRTMIN+3, by which systemd in a container shuts down.
const powerOff = syscall.Signal(37)

// off shuts it down, as its power button does.
func (s *server) off() {
	if s.nspan == nil {
		return
	}
	if s.first != 0 {
		syscall.Kill(s.first, powerOff) //nolint:errcheck // its end is waited for
	}
	killed := time.AfterFunc(2*time.Minute, func() {
		s.t.Error("it does not shut down")
		syscall.Kill(-s.nspan.Process.Pid, syscall.SIGKILL) //nolint:errcheck // its end is waited for
	})
	s.nspan.Wait() //nolint:errcheck // it ends with the code of its systemd
	killed.Stop()
	s.nspan, s.first = nil, 0
	if s.out != nil {
		s.out()
	}
	if out, err := exec.Command("ip", "netns", "delete", s.id).CombinedOutput(); err != nil {
		s.t.Errorf("ip netns delete: %v\n%s", err, out)
	}
	for _, kill := range []string{"/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"} {
		os.WriteFile(kill+s.id+"/cgroup.kill", []byte("1"), 0) //nolint:errcheck // nothing is left there after a shutdown
	}
	(&room{id: s.id}).removeGroups(s.t)
}

// try runs a line of the shell on the server, as root.
func (s *server) try(ctx context.Context, line string) (string, error) {
	cmd := exec.CommandContext(ctx, "nsenter", "--target", strconv.Itoa(s.first), "--all", "--", "sh", "-euc", line)
	cmd.Env = append(proxies(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *server) run(ctx context.Context, line string) string {
	s.t.Helper()
	out, err := s.try(ctx, line)
	if err != nil {
		journal, journalErr := s.try(context.WithoutCancel(ctx), "journalctl --no-pager --unit gitd --lines 300")
		s.t.Fatalf("$ %s\n%s%v\n%s", line, out, errors.Join(err, journalErr), journal)
	}
	return out
}

// wants runs a line whose output must have each of the words.
func (s *server) wants(ctx context.Context, line string, words ...string) string {
	s.t.Helper()
	out := s.run(ctx, line)
	for _, w := range words {
		if !strings.Contains(out, w) {
			s.t.Errorf("$ %s\n%s: no %q", line, out, w)
		}
	}
	return out
}

// step says in the test's log how far it is.
func (s *server) step(what string) {
	s.t.Logf("%s ==> %s", time.Now().Format(time.TimeOnly), what)
}

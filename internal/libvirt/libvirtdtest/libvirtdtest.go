// Package libvirtdtest runs a libvirtd of its own for a test.
//
// It owns that daemon. It does not own what the test asks of it, nor the machines, which go on after it.
package libvirtdtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startLimit is how long it may take to come up, on a host with much else to do.
const startLimit = 3 * time.Minute

// Daemon is a real libvirt daemon of the system's kind, in a mount namespace where /etc, /run and /var are its own.
type Daemon struct {
	Args []string // further ones of bwrap

	t   *testing.T
	dir string
	cmd *exec.Cmd

	ended chan struct{} // closed when cmd has ended
}

// New prepares a libvirtd and does not start it. It has the QEMU driver, and those that are named: without any, it
// touches no network of the host.
func New(t *testing.T, drivers ...string) *Daemon {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a libvirtd of the system's kind")
	}
	dir, err := os.MkdirTemp("/tmp", "gv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &Daemon{t: t, dir: dir}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"etc/libvirt", "etc/alternatives", "run/lock", "var/lib/libvirt/dnsmasq", "var/log", "var/cache", "drivers"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/run/lock", filepath.Join(dir, "var/lock")); err != nil {
		t.Fatal(err)
	}
	l.write("etc/libvirtd.conf", fmt.Sprintf("unix_sock_dir = %q\nauth_unix_rw = \"none\"\nunix_sock_rw_perms = \"0777\"\nlog_outputs = \"3:file:%s/log\"\n", dir, dir))
	// virtlogd would be one more daemon.
	l.write("etc/libvirt/qemu.conf", "stdio_handler = \"file\"\ncgroup_controllers = []\n")
	for _, name := range []string{"passwd", "group", "nsswitch.conf", "ld.so.cache", "ethertypes"} {
		b, err := os.ReadFile(filepath.Join("/etc", name))
		if err != nil {
			t.Fatal(err)
		}
		l.write(filepath.Join("etc", name), string(b))
	}
	for _, name := range append(drivers, "qemu") {
		l.driver("libvirt_driver_" + name + ".so")
	}
	t.Cleanup(func() { l.End(syscall.SIGKILL) })
	t.Cleanup(func() {
		for _, name := range []string{"log", "out"} {
			if text, err := os.ReadFile(filepath.Join(dir, name)); t.Failed() && err == nil {
				t.Logf("libvirtd's %s:\n%s", name, text)
			}
		}
	})
	return l
}

// driver gives libvirtd one of the host's drivers.
func (l *Daemon) driver(name string) {
	l.t.Helper()
	found, err := filepath.Glob("/usr/lib/*/libvirt/connection-driver/" + name)
	if err != nil || len(found) == 0 {
		l.t.Fatalf("no %s here: %v; run scripts/setup", name, err)
	}
	if err := os.Symlink(found[0], filepath.Join(l.dir, "drivers", name)); err != nil {
		l.t.Fatal(err)
	}
}

func (l *Daemon) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

// Dir has the daemon's own etc, run and var, and its process id as pid. It is seen by all.
func (l *Daemon) Dir() string { return l.dir }

// Socket is where it takes connections.
func (l *Daemon) Socket() string { return filepath.Join(l.dir, "libvirt-sock") }

// URI is libvirt's name of the daemon.
func (l *Daemon) URI() string { return "qemu+unix:///system?socket=" + l.Socket() }

// Start starts libvirtd and waits until it takes connections.
func (l *Daemon) Start() {
	l.t.Helper()
	args := []string{"--cap-add", "ALL", "--die-with-parent", "--dev-bind", "/", "/"}
	for _, own := range []string{"/etc", "/run", "/var"} {
		args = append(args, "--bind", filepath.Join(l.dir, own), own)
	}
	args = append(args, "--ro-bind", "/etc/alternatives", "/etc/alternatives") // where iptables is
	args = append(append(args, l.Args...), "--", "libvirtd", "-f", filepath.Join(l.dir, "etc/libvirtd.conf"), "-p", filepath.Join(l.dir, "pid"))
	l.cmd = exec.Command("bwrap", args...)
	l.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LIBVIRT_DRIVER_DIR=" + filepath.Join(l.dir, "drivers")}
	out, err := os.Create(filepath.Join(l.dir, "out"))
	if err != nil {
		l.t.Fatal(err)
	}
	defer out.Close()
	l.cmd.Stdout, l.cmd.Stderr = out, out
	if err := l.run(); err != nil {
		l.t.Fatal(err)
	}
	for limit := time.Now().Add(startLimit); ; time.Sleep(10 * time.Millisecond) { // there is no event for a socket
		c, err := net.Dial("unix", l.Socket())
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(limit) {
			said, _ := os.ReadFile(out.Name())
			l.t.Fatalf("libvirtd does not start: %v\n%s", err, said)
		}
	}
}

// run starts the daemon from a thread that lives as long. To the kernel, the parent of --die-with-parent is a thread,
// and a test beside this one ends threads (a network namespace of its own is one's): libvirtd was gone with it.
func (l *Daemon) run() error {
	cmd, started, ended := l.cmd, make(chan error), make(chan struct{})
	l.ended = ended
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait() //nolint:errcheck // it was killed
		}
		close(ended)
	}()
	return <-started
}

// End ends libvirtd. The machines go on.
func (l *Daemon) End(signal syscall.Signal) {
	l.t.Helper()
	if l.cmd == nil {
		return
	}
	l.Signal(signal)
	<-l.ended
	l.cmd = nil
}

// Signal sends libvirtd a signal.
func (l *Daemon) Signal(signal syscall.Signal) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "pid"))
	if err != nil {
		l.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		l.t.Fatal(err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		l.t.Fatal(err)
	}
}

package main

import (
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
)

// libvirtd is a real libvirt daemon of the system's kind, in a mount namespace where /etc, /run and /var are its own.
// It has the QEMU driver and no other, so it touches no network of the host.
type libvirtd struct {
	t    *testing.T
	dir  string
	args []string // further ones of bwrap
	cmd  *exec.Cmd
}

// newLibvirtd prepares a libvirtd and does not start it.
func newLibvirtd(t *testing.T) *libvirtd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a libvirtd of the system's kind")
	}
	dir, err := os.MkdirTemp("/tmp", "gv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &libvirtd{t: t, dir: dir}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{"etc/libvirt", "run/lock", "var/lib", "var/log", "var/cache", "drivers"} {
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
	for _, name := range []string{"passwd", "group", "nsswitch.conf", "ld.so.cache"} {
		b, err := os.ReadFile(filepath.Join("/etc", name))
		if err != nil {
			t.Fatal(err)
		}
		l.write(filepath.Join("etc", name), string(b))
	}
	driver, err := filepath.Glob("/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so")
	if err != nil || len(driver) == 0 {
		t.Fatalf("no QEMU driver of libvirt here: %v; run scripts/setup", err)
	}
	if err := os.Symlink(driver[0], filepath.Join(dir, "drivers/libvirt_driver_qemu.so")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.end(syscall.SIGKILL) })
	return l
}

func (l *libvirtd) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l *libvirtd) socket() string { return filepath.Join(l.dir, "libvirt-sock") }

func (l *libvirtd) uri() string { return "qemu+unix:///system?socket=" + l.socket() }

// start starts libvirtd and waits until it takes connections.
func (l *libvirtd) start() {
	l.t.Helper()
	args := []string{"--cap-add", "ALL", "--die-with-parent", "--dev-bind", "/", "/"}
	for _, own := range []string{"/etc", "/run", "/var"} {
		args = append(args, "--bind", filepath.Join(l.dir, own), own)
	}
	args = append(append(args, l.args...), "--", "libvirtd", "-f", filepath.Join(l.dir, "etc/libvirtd.conf"), "-p", filepath.Join(l.dir, "pid"))
	l.cmd = exec.Command("bwrap", args...)
	l.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LIBVIRT_DRIVER_DIR=" + filepath.Join(l.dir, "drivers")}
	out := &lines{}
	l.cmd.Stdout, l.cmd.Stderr = out, out
	if err := l.cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	for limit := time.Now().Add(eventLimit); ; time.Sleep(10 * time.Millisecond) { // there is no event for a socket
		c, err := net.Dial("unix", l.socket())
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(limit) {
			l.t.Fatalf("libvirtd does not start: %v\n%s", err, out)
		}
	}
}

// end ends libvirtd. The machines go on.
func (l *libvirtd) end(signal syscall.Signal) {
	l.t.Helper()
	if l.cmd == nil {
		return
	}
	l.signal(signal)
	l.cmd.Wait() //nolint:errcheck // it was killed
	l.cmd = nil
}

func (l *libvirtd) signal(signal syscall.Signal) {
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

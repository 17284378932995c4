package libvirt

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"gitd/internal/deploy"
)

// TestWiden: six uploads that began at the same time were answered 502 after
// one second, for QEMU's port has a queue of one. A process that listens as
// QEMU does gets a longer one.
func TestWiden(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := addr.(*unix.SockaddrInet4).Port
	d := &Driver{state: deploy.StateDir(t.TempDir())}
	run := filepath.Join(d.state.Libvirt(), "run/qemu")
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, "shop.pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := queue(t, fd); got != 1 {
		t.Fatalf("the queue is %d long before", got)
	}
	if err := d.widen("shop", port); err != nil {
		t.Fatal(err)
	}
	if got := queue(t, fd); got < 64 {
		t.Errorf("the queue is %d long", got)
	}
	if err := d.widen("shop", 1); err == nil {
		t.Error("a port on which nothing listens was found")
	}
}

// queue is the length of a listening socket's queue, which Linux shows where
// a connection has its count of acknowledged segments.
func queue(t *testing.T, fd int) uint32 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sacked
}

package libvirt

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestSetQueue: of six uploads that began at the same time, some were answered with 502 after a second, because QEMU
// listens with a queue of one. A process that listens as QEMU does gets a longer queue.
func TestSetQueue(t *testing.T) {
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
	d := &Driver{machineFiles: machineFiles{state: core.StateDir(t.TempDir())}}
	run := filepath.Join(d.state.Libvirt(), "run/qemu")
	if err := os.MkdirAll(run, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, "shop.pid"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := queue(t, port); got != 1 {
		t.Fatalf("the queue is %d long before", got)
	}
	if err := d.setQueue("shop", port, backlog); err != nil {
		t.Fatal(err)
	}
	if got := queue(t, port); got < 64 {
		t.Errorf("the queue is %d long", got)
	}
	if err := d.setQueue("shop", 1, backlog); err == nil {
		t.Error("a port on which nothing listens was found")
	}
}

// queue returns how many connections may wait at a port of this host.
func queue(t *testing.T, port int) int {
	t.Helper()
	sockets, err := netlink.SocketDiagTCP(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	const listens = 10 // TCP_LISTEN
	for _, s := range sockets {
		if s.State == listens && int(s.ID.SourcePort) == port {
			return int(s.WQueue)
		}
	}
	t.Fatalf("nothing listens on port %d", port)
	return 0
}

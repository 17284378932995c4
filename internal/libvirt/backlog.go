package libvirt

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
)

// backlog is how many connections may wait until QEMU accepts them. The host
// bounds it by net.core.somaxconn.
const backlog = 4096

// lengthenQueue widens the port of a machine of the embedded driver. Without
// it the machine serves, but not many at once.
func (d *Driver) lengthenQueue(m core.Machine) {
	if !d.embedded {
		return
	}
	addr, err := netip.ParseAddrPort(m.Addr)
	if err == nil {
		err = d.setQueue(m.ID, int(addr.Port()), backlog)
	}
	if err != nil {
		d.log.Warn().Err(err).Str("machine", m.ID).Msg("connections that come together may be slow or reset")
	}
}

// setQueue sets the queue of a machine's port on the host. QEMU's user-mode
// network listens with a backlog of 1 (libslirp, tcpx_listen) and takes
// a connection at a time: of some that come together, those beyond the second
// wait a second for TCP's retry, and what sends much at once is reset. Only
// the socket itself can be told, so we borrow it from QEMU.
func (d *Driver) setQueue(id string, port, length int) error {
	pid, err := qemuPID(d.state, id)
	if err != nil {
		return err
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("QEMU's process: %w", err)
	}
	defer unix.Close(process)
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return err
	}
	for _, f := range files {
		n, err := strconv.Atoi(f.Name())
		if err != nil {
			continue
		}
		done, err := setQueueOf(process, n, port, length)
		if done || err != nil {
			return err
		}
	}
	return errors.New("QEMU does not listen on the machine's port")
}

// qemuPID is the process of a machine of the embedded driver.
func qemuPID(state core.StateDir, id string) (int, error) {
	text, err := os.ReadFile(filepath.Join(state.Libvirt(), "run/qemu", id+".pid"))
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return 0, fmt.Errorf("QEMU's pid file has %q", text)
	}
	return pid, nil
}

// setQueueOf reports whether the file n of a process is the socket that
// listens on a port, and then sets its queue.
func setQueueOf(process, n, port, length int) (bool, error) {
	fd, err := unix.PidfdGetfd(process, n, 0)
	if errors.Is(err, unix.EBADF) {
		return false, nil // closed meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("borrow QEMU's socket: %w", err)
	}
	defer unix.Close(fd)
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return false, nil // not a socket, or another one
	}
	addr, err := unix.Getsockname(fd)
	if in, ok := addr.(*unix.SockaddrInet4); err != nil || !ok || in.Port != port {
		return false, nil // another socket
	}
	return true, unix.Listen(fd, length)
}

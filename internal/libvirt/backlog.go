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

// lengthenQueue lengthens the queue of connections at the port of a machine of the embedded driver. Without that, the
// machine serves, but not many connections that come together.
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

// setQueue sets how many connections may wait at a machine's port on the host. QEMU's user-mode network listens with a
// backlog of 1 (libslirp, tcpx_listen) and accepts one connection at a time. When several come together, those after
// the second wait a second for TCP's retry, and those that send much at once are reset. The backlog can only be changed
// on the socket itself, so gitd borrows the socket from QEMU.
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

// qemuPID returns the id of the QEMU process of a machine of the embedded driver.
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

// setQueueOf reports whether the file n of a process is the socket that listens on port. If it is, setQueueOf sets its
// queue.
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

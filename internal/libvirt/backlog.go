package libvirt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gitd/internal/deploy"
)

// backlog is how many connections may wait until QEMU accepts them. The host
// bounds it by net.core.somaxconn.
const backlog = 4096

// widen lengthens the queue of a machine's port on the host. QEMU's user-mode
// network listens with a backlog of 1 (libslirp, tcpx_listen) and takes
// a connection at a time: of some that come together, those beyond the second
// wait a second for TCP's retry, and what sends much at once is reset. Only
// the socket itself can be told, so we borrow it from QEMU.
func (d *Driver) widen(id string, port int) error {
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
		done, err := widenOne(process, n, port)
		if done || err != nil {
			return err
		}
	}
	return errors.New("QEMU does not listen on the machine's port")
}

// qemuPID is the process of a machine of the embedded driver.
func qemuPID(state deploy.StateDir, id string) (int, error) {
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

// widenOne reports whether the file n of a process is the socket that listens
// on a port, and then lengthens its queue.
func widenOne(process, n, port int) (bool, error) {
	fd, err := unix.PidfdGetfd(process, n, 0)
	if errors.Is(err, unix.EBADF) {
		return false, nil // closed meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("borrow QEMU's socket: %w", err)
	}
	defer unix.Close(fd)
	if listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return false, nil //nolint:nilerr // not a socket, or another one
	}
	addr, err := unix.Getsockname(fd)
	if in, ok := addr.(*unix.SockaddrInet4); err != nil || !ok || in.Port != port {
		return false, nil //nolint:nilerr // another socket
	}
	return true, unix.Listen(fd, backlog)
}

// Package oldroot ends the machines of a gitd that ran as root, which the gitd after it, as another user, could not.
//
// It owns which processes those are. It does not own machines that gitd itself has started.
package oldroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
)

// quitLimit is how long QEMU has to write what it holds, once it is told to end.
const quitLimit = 10 * time.Second

// End ends the machines that a gitd which stayed root has left running: they run as the user qemu, and whoever is not
// root could neither stop them nor be sure of their disks. gitd boots them again. Only root can; it looks at no process
// of another user, whatever the files in the state folder say.
func End(ctx context.Context, state core.StateDir, qemu string, log zerolog.Logger) error {
	u, err := user.Lookup(qemu)
	if err != nil {
		return nil //nolint:nilerr // without that user there are none of its processes
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(state.Libvirt(), "run/qemu/*.pid"))
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".pid")
		ended, err := endQEMU(ctx, file, uid, state)
		if ended {
			log.Info().Str("machine", name).Msg("ended a machine of a gitd that ran as root; its app is started again")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("end the machine %s of a gitd that ran as root: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func endQEMU(ctx context.Context, file string, uid int, state core.StateDir) (ended bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return false, nil // no process is meant
	}
	fd, err := unix.PidfdOpen(pid, 0) // from here on, the number is not given to another process
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
	if err != nil || !strings.Contains(string(line), string(state)+"/") {
		return false, nil // it has ended, or the number is somebody else's now
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil || !strings.Contains(string(status), fmt.Sprintf("\nUid:\t%d\t", uid)) {
		return false, nil // likewise
	}
	for _, s := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil {
			return errors.Is(err, unix.ESRCH), ignoreGone(err)
		}
		if gone(ctx, fd) {
			return true, nil
		}
	}
	return false, errors.New("it does not end")
}

// gone waits for the end of a process.
func gone(ctx context.Context, pidfd int) bool {
	for end := time.Now().Add(quitLimit); ctx.Err() == nil; {
		left := time.Until(end)
		if left <= 0 {
			return false
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if n > 0 {
			return true
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
	}
	return false
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

package repo

import (
	"errors"
	"os/exec"

	"golang.org/x/sys/unix"
)

// maxMemory is what each process of git may have of its own, in bytes; packs that it maps are not counted. git reads
// every object of a stranger's push: a blob above core.bigFileThreshold piece by piece, and anything else as a whole.
const maxMemory = 1 << 30

// start starts a process of git with a limit of its memory. It begins by reading, so it has the limit before it has
// read much.
func start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	limit := unix.Rlimit{Cur: maxMemory, Max: maxMemory}
	if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, &limit, nil); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	return nil
}

package walls

import (
	"os/exec"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/fds"
)

// Together starts cmd in a process group of its own, and has the end of its context kill the group. Of a program whose
// first process alone is killed, others may go on: bubblewrap's second process, for one, waits for ever for the first
// if that ends before both have begun.
//
// A Ctrl-C at the daemon's terminal does not reach the group: it must reach the daemon, which then ends in order.
//
// The descriptors of this process are kept from it.
func Together(cmd *exec.Cmd) {
	fds.Keep()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

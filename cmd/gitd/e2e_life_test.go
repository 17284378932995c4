package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// inContainer has cmd run as a container's one program: in a PID namespace with a /proc of its own, below a small init
// that reaps and ends when its child does. The kernel then kills what is left.
func inContainer(cmd *exec.Cmd) {
	const init = `"$@"; exit $?`
	cmd.Args = append([]string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", init, "init"}, cmd.Args...)
	cmd.Path, cmd.Err = exec.LookPath("unshare")
}

// gitdPID is the daemon's process: the one that was started, or the gitd that it became the ancestor of.
func (d *testDaemon) gitdPID() (int, error) {
	pid := d.cmd.Process.Pid
	for {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil {
			return 0, err
		}
		if filepath.Base(exe) == "gitd" {
			return pid, nil
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			return 0, err
		}
		child, _, _ := strings.Cut(string(text), " ")
		if pid, err = strconv.Atoi(child); err != nil {
			return 0, fmt.Errorf("no gitd below it: %w", err)
		}
	}
}

// cmdTerm sends SIGTERM to the daemon, as a service manager and Docker do, and waits for its end unless it is told
// `term -begin`.
func cmdTerm(ts *testscript.TestScript, neg bool, args []string) {
	d := daemonOf(ts)
	pid, err := d.gitdPID()
	ts.Check(err)
	ts.Check(syscall.Kill(pid, syscall.SIGTERM))
	if len(args) == 0 {
		d.awaitEnd(ts)
	}
}

// cmdEnded waits for the daemon's end.
func cmdEnded(ts *testscript.TestScript, neg bool, _ []string) { daemonOf(ts).awaitEnd(ts) }

func (d *testDaemon) awaitEnd(ts *testscript.TestScript) {
	select {
	case <-d.ended:
	case <-time.After(eventLimit):
		ts.Fatalf("gitd does not end:\n%s", d.log())
	}
}

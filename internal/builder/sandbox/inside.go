package sandbox

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/walls"
)

// How Main was told to set the network up.
const (
	modeProxy   = "proxy"
	modeOffline = "offline"
)

// Limits of one build. V8 reserves far more address space than it uses, so
// the memory limit is on data (private writable memory, for each process) and
// not on address space, where Node would not even start.
const (
	maxData   = 8 << 30 // bytes
	maxFile   = 4 << 30 // bytes
	buildNice = 5
	maxOpen   = 16384
)

const exitUnusable = 125 // Main could not run the command

// Main runs inside the sandbox, before the command: it sets limits, opens the
// proxy's port, hands that listener out, and becomes the command. args is the
// mode and the command's argv. It returns only on failure, with an exit code.
//
// The listener is accepted from outside, where the network is: a socket keeps
// the network namespace it was made in. So no forwarder has to run beside the
// build, and no socket file has to be shown in it.
func Main(args []string) int {
	if err := become(args); err != nil {
		fmt.Fprintln(os.Stderr, "gitd sandbox:", err)
	}
	return exitUnusable
}

func become(args []string) error {
	if len(args) < 2 {
		return errors.New("this command is gitd's own; it is not for people")
	}
	if err := setLimits(); err != nil {
		return err
	}
	env, err := openEnv()
	if err != nil {
		return fmt.Errorf("reading the environment: %w", err)
	}
	yield()
	if args[0] == modeProxy {
		if err := handOut(proxyAddr); err != nil {
			return fmt.Errorf("opening the proxy's port: %w", err)
		}
	}
	// Nothing of the host may stay open in other people's code.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("closing inherited files: %w", err)
	}
	unix.Umask(0o022)
	runtime.LockOSThread() // the filter is this thread's
	if err := walls.SetFilter(); err != nil {
		return fmt.Errorf("setting the system call filter: %w", err)
	}
	return fmt.Errorf("starting %s: %w", args[1], syscall.Exec(args[1], args[1:], env))
}

// yield lets machines and gitd go before the build: they serve people. If memory runs out all the same, the kernel ends
// the build's processes first.
func yield() {
	unix.Setpriority(unix.PRIO_PROCESS, 0, buildNice)           //nolint:errcheck // it is a courtesy
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) //nolint:errcheck // the same; in a container, /proc is read-only
}

func setLimits() error {
	for _, l := range []struct {
		resource int
		max      uint64
	}{
		{unix.RLIMIT_DATA, maxData},
		{unix.RLIMIT_FSIZE, maxFile},
		{unix.RLIMIT_NPROC, walls.MostProcesses()},
		{unix.RLIMIT_NOFILE, maxOpen},
		{unix.RLIMIT_CORE, 0},
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("reading limit %d: %w", l.resource, err)
		}
		m := min(l.max, now.Max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: m, Max: m}); err != nil {
			return fmt.Errorf("setting limit %d: %w", l.resource, err)
		}
	}
	return nil
}

// handOut listens on addr and sends the listener over the control socket.
func handOut(addr string) error {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return err
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	return unix.Sendmsg(controlFD, []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0)
}

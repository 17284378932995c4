package jail

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"

	"golang.org/x/sys/unix"
)

// Inside is the third stage: it makes the place where QEMU runs, gives up all rights and becomes QEMU. It returns only
// with an error.
func Inside(s *Spec, args []string) error {
	// Pdeathsig is of the thread that asks for it, and of the thread that it watches.
	runtime.LockOSThread()
	if err := unix.Sethostname([]byte("machine")); err != nil && !s.Single() {
		return fmt.Errorf("host name: %w", err)
	}
	if err := s.enterRoot(keys(args)); err != nil {
		return fmt.Errorf("the machine's files: %w", err)
	}
	if err := s.becomeQEMU(); err != nil {
		return err
	}
	if err := errors.Join(s.Limits.take(), dieWithParent()); err != nil {
		return err
	}
	signal.Reset()
	return become(s.Emulator, args, environment())
}

// environment is QEMU's. The machine's own settings are not for it.
func environment() []string {
	return []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TMPDIR=/tmp", "HOME=/"}
}

// masterKey is how libvirt names the file with which it hands secrets to QEMU.
var masterKey = regexp.MustCompile(`"file":"(/[^"]*/master-key\.aes)"`)

// keys are the files of secrets among QEMU's arguments.
func keys(args []string) (paths []string) {
	for _, a := range args {
		if m := masterKey.FindStringSubmatch(a); m != nil {
			paths = append(paths, m[1])
		}
	}
	return paths
}

// dieWithParent has the kernel end this process with its supervisor. The request is void if the supervisor ended
// before, and lost when ids change: so it comes after that.
func dieWithParent() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("end with the supervisor: %w", err)
	}
	if os.Getppid() == 1 {
		return errors.New("the supervisor has ended")
	}
	return nil
}

func (l Limits) take() error {
	for _, r := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_AS, l.AddressSpace}, {unix.RLIMIT_NPROC, l.Processes}, {unix.RLIMIT_NOFILE, l.OpenFiles},
	} {
		if r.limit == 0 {
			continue
		}
		if err := unix.Setrlimit(r.what, &unix.Rlimit{Cur: r.limit, Max: r.limit}); err != nil {
			return fmt.Errorf("limit %d: %w", r.what, err)
		}
	}
	return nil
}

package jail

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// unshare is util-linux's. It asks newuidmap and newgidmap, the only programs with root's rights on the way, to map the
// ids that /etc/subuid and /etc/subgid give to this user.
const unshare = "/usr/bin/unshare"

// The ids inside of a machine's user namespace.
const (
	idOwner      = 0 // whoever started the machine: gitd's user
	idSupervisor = 1
	idQEMU       = 2
	idCount      = 2 // that are subordinate
)

// Stage is where in the walls this process is.
type Stage string

// The stages, from the outside to the inside.
const (
	StageProbe     Stage = "probe" // no machine is meant
	StageEnter     Stage = "enter"
	StageSupervise Stage = "supervise"
	StageInside    Stage = "inside"
)

// StageNow tells the stage from the environment.
func StageNow() Stage {
	switch {
	case os.Getenv(EnvSpec) == "":
		return StageProbe
	case os.Getenv(envStage) == "":
		return StageEnter
	}
	return Stage(os.Getenv(envStage))
}

// Probe runs the emulator itself, with the arguments that libvirt gave.
func Probe(emulator string, args []string) error {
	return become(emulator, args, os.Environ())
}

// Enter is the first stage, as libvirt has started it. What it takes on here, all later processes of the machine have.
// It returns only with an error.
func Enter(s *Spec, self string, args []string) error {
	if err := errors.Join(s.yield(), s.join()); err != nil {
		return err
	}
	next := environ(StageSupervise)
	if s.Single() {
		return become(self, args, next)
	}
	subordinate := func(first uint32) string { return fmt.Sprintf("%d,%d,%d", first, idSupervisor, idCount) }
	argv := append([]string{
		"--user", "--map-root-user", "--map-users=" + subordinate(s.UID), "--map-groups=" + subordinate(s.GID), "--", self,
	}, args...)
	return become(unshare, argv, next)
}

// environ is the environment of the next stage.
func environ(next Stage) []string {
	return []string{EnvSpec + "=" + os.Getenv(EnvSpec), envStage + "=" + string(next), "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"}
}

// yield makes this machine one of the first that the kernel ends when memory runs out: gitd serves all others.
func (s *Spec) yield() error {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(s.OOM)), 0); err != nil {
		return fmt.Errorf("the machine's order of death: %w", err)
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// join enters the machine's control groups.
func (s *Spec) join() error {
	for _, procs := range s.Groups {
		if err := os.WriteFile(procs, []byte("0"), 0); err != nil {
			return fmt.Errorf("the machine's control group: %w", err)
		}
	}
	return nil
}

// become replaces this process.
func become(path string, args, env []string) error {
	err := unix.Exec(path, append([]string{path}, args...), env)
	return fmt.Errorf("%s: %w", path, err)
}

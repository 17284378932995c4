package main

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// maxFiles is Linux's own ceiling (fs.nr_open). A server wants many sockets,
// and each app has its machine for itself.
const maxFiles = 1 << 20

// machine is what the supervisor calls its host, in a real guest: process 1 of a kernel.
type machine struct {
	volumes []string // the paths where volumes are mounted
	frozen  []int    // descriptors of those to which nobody may write
	say     func(format string, args ...any)
	spare   *spare // nil: it has its app's disks from the start
}

func (m *machine) killAll() { killAll() }

func (m *machine) prepare(s *guest.Start) (starter, []string, error) {
	var warnings []string
	if s.UnixNano != 0 {
		if err := setClock(time.Unix(0, s.UnixNano)); err != nil {
			warnings = append(warnings, err.Error())
		}
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		warnings = append(warnings, fmt.Sprintf("host name: %v", err))
	}
	if err := m.network(s); err != nil {
		return nil, warnings, err
	}
	if m.spare != nil {
		return m.spare.start, warnings, m.spare.mount(s.Disks)
	}
	var err error
	if m.volumes, err = mountVolumes(s.Mounts); err != nil {
		return nil, warnings, err
	}
	l, more, err := confine()
	return func(c command) (*process, error) { return l.start(c, guest.AppUID) }, append(warnings, more...), err
}

// confine closes what programs do not need, and returns what starts them.
func confine() (*launcher, []string, error) {
	warnings := apply(settings())
	if err := errors.Join(hide(), setLimits()); err != nil {
		return nil, warnings, err
	}
	l, err := newLauncher()
	return l, warnings, err
}

// network configures the network as the host says, or as the network itself says.
func (m *machine) network(s *guest.Start) error {
	if s.Network.DHCP {
		return askNetwork(s.Hostname, m.say)
	}
	return configureNetwork(s.Network, s.Hostname)
}

// stats implements host.
func (*machine) stats(lost int64) *guest.Stats { return gather(lost) }

// setTime implements host.
func (*machine) setTime(t time.Time) (said string, err error) { return correctClock(t) }

// setLimits sets limits for what this process starts, which inherits them. The limit of processes counts the processes
// and threads of the app's user, so it does not bind this process.
func setLimits() error {
	most := mostProcesses(slurp("/proc/meminfo"))
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("limit of processes: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: maxFiles, Max: maxFiles}); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limit of core files: %w", err)
	}
	return nil
}

// mostProcesses bounds a fork bomb to two processes or threads for each MiB. With four for each MiB the memory was used
// up first: for minutes the kernel killed some of them and the bomb made others. During that time init was alive, so
// nobody replaced the machine, and the app did not answer. Node has eleven threads, and four for each worker.
func mostProcesses(meminfo string) uint64 {
	const fewest, most = 128, 16384
	total, _ := parseMemory(meminfo)
	return uint64(min(max(2*(total>>20), fewest), most))
}

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"gitd/internal/guest"
)

// maxFiles is Linux's own ceiling (fs.nr_open). A server wants many sockets,
// and each app has its machine for itself.
const maxFiles = 1 << 20

// machine is the host of the supervisor in a guest: process 1 of a kernel.
type machine struct {
	volumes []string // where they are mounted
}

func (m *machine) killAll() { killAll() }

func (m *machine) prepare(s *guest.Start) (starter, []string, error) {
	var warnings []string
	if err := setClock(time.Unix(0, s.UnixNano)); err != nil {
		warnings = append(warnings, err.Error())
	}
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		warnings = append(warnings, fmt.Sprintf("host name: %v", err))
	}
	if err := configureNetwork(s.Network); err != nil {
		return nil, warnings, err
	}
	if err := closeAddresses(s.Network); err != nil {
		warnings = append(warnings, fmt.Sprintf("the app can reach services on the loopback of the host: the filter against it does not work in this kernel: %v", err))
	}
	if err := setLimits(); err != nil {
		return nil, warnings, err
	}
	var err error
	if m.volumes, err = mountVolumes(s.Mounts); err != nil {
		return nil, warnings, err
	}
	l, err := newLauncher()
	if err != nil {
		return nil, warnings, err
	}
	return func(c command) (*process, error) { return l.start(c, appID) }, warnings, nil
}

// setClock sets the time of day; a guest under emulation may have started
// with a coarse one.
func setClock(t time.Time) error {
	ts := unix.NsecToTimespec(t.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	return nil
}

// setLimits is for what this process starts: limits are inherited.
func setLimits() error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: maxFiles, Max: maxFiles}); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limit of core files: %w", err)
	}
	return nil
}

// Package fds keeps the descriptors of this process to itself.
//
// It owns what a process that is started gets besides what it is given. What it is given is its starter's choice.
package fds

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Keep marks all descriptors of this process, so that a process that is started from now on gets those that it is given
// (exec.Cmd's ExtraFiles), and no others. Go marks all that it opens. libvirt does not: the stream of a machine's
// channel is a socket without the mark (virFDStreamConnectUNIX, 9.0). git had it then, behind its walls; and the next
// gitd had it from the one before, and QEMU, which listens to one process at a time, listened to neither.
func Keep() {
	unmarked, err := Inheritable()
	if err != nil {
		return // without /proc, no walls are possible either
	}
	for _, fd := range unmarked {
		unix.CloseOnExec(fd)
	}
}

// Inheritable are the descriptors that a process which is started now would have besides what it is given, without its
// input and output.
func Inheritable() (unmarked []int, err error) {
	names, err := os.ReadDir("/proc/self/fd")
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err != nil || fd <= unix.Stderr {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unmarked = append(unmarked, fd)
		}
	}
	return unmarked, err
}

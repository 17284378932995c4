package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/units"
)

// death is the end of a child process.
type death struct {
	pid    int
	status unix.WaitStatus
	usage  unix.Rusage
}

// reap collects every child that ends, including the orphans that process 1 inherits, and sends them all to the channel
// to. Nothing else in this program may wait for a child.
func reap(to chan<- death) {
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			for {
				var d death
				pid, err := unix.Wait4(-1, &d.status, unix.WNOHANG, &d.usage)
				if errors.Is(err, unix.EINTR) {
					continue
				}
				if err != nil || pid <= 0 {
					break
				}
				d.pid = pid
				to <- d
			}
		}
	}()
}

// exited describes how the app ended, for people and for programs. memory is the memory of the machine, in bytes.
func exited(d death, outOfMemory bool, memory int64) *guest.Exited {
	status := d.status
	if !status.Signaled() {
		e := &guest.Exited{Code: status.ExitStatus(), Reason: "exit code " + strconv.Itoa(status.ExitStatus()), OutOfMemory: outOfMemory}
		switch {
		case outOfMemory: // the kernel chose one of its children
			e.Reason += ": the machine, which has " + units.Bytes(memory) + ", ran out of memory"
		case e.Code == 0:
			e.Reason += ": it ended by itself; a server goes on"
		}
		return e
	}
	e := &guest.Exited{Code: -1, Signal: unix.SignalName(status.Signal()), OutOfMemory: outOfMemory}
	e.Reason = "ended by " + e.Signal
	// Maxrss is the most that the process has had, in KiB.
	used := fmt.Sprintf("it had %s of the machine's %s", units.Bytes(d.usage.Maxrss<<10), units.Bytes(memory))
	switch {
	case outOfMemory && status.Signal() == unix.SIGKILL:
		e.Reason += ": the machine ran out of memory; " + used
	case status.Signal() == unix.SIGABRT:
		// V8 aborts when its heap is full.
		e.Reason += ": it aborted, as Node does when its heap is full; " + used
	}
	return e
}

// parseOOMKills reads from a /proc/vmstat how many processes were killed because the memory was used up.
func parseOOMKills(vmstat string) string {
	for line := range strings.Lines(vmstat) {
		if n, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(n)
		}
	}
	return ""
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// What becomes of the machines when gitd is told to end: see --on-stop.
const (
	stopAuto = "auto"
	stopKeep = "keep"
	stopHalt = "halt"
)

const (
	// initialPIDs is the PID namespace of a host that is no container (PROC_PID_INIT_INO of the kernel).
	initialPIDs = "pid:[4026531836]"
	// systemdRuns is what sd_booted(3) looks for.
	systemdRuns = "/run/systemd/system"
	// A host that ends does not wait for an answer of its service manager.
	askLimit = 5 * time.Second
)

// onStop decides what becomes of the machines when gitd is told to end.
type onStop struct {
	choice string // stopAuto, stopKeep or stopHalt
	place
}

// place is what gitd runs in. It is looked at when gitd starts: later, who started gitd may be gone.
type place struct {
	pid, parent int
	contained   bool // in a PID namespace that ends before the host does
	systemd     bool // process 1 is systemd, which outlives its services
}

func newOnStop(choice string) (onStop, error) {
	switch choice {
	case stopAuto, stopKeep, stopHalt:
	default:
		return onStop{}, fmt.Errorf("--on-stop %q: use auto, keep (machines go on) or halt (machines are stopped first)", choice)
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return onStop{}, fmt.Errorf("which PID namespace gitd is in: %w", err)
	}
	_, err = os.Stat(systemdRuns)
	return onStop{choice, place{
		pid: os.Getpid(), parent: os.Getppid(), contained: namespace != initialPIDs, systemd: err == nil,
	}}, nil
}

// last reports whether all other processes end with gitd: gitd is process 1 of its PID namespace, or the one child of
// a small init that ends when its child does, as docker-init is one.
func (p place) last() bool {
	return p.pid == 1 || p.contained && p.parent == 1 && !p.systemd
}

// halts reports whether the machines must be stopped before gitd ends, and why.
func (o onStop) halts() (why string, halts bool) {
	switch {
	case o.choice == stopKeep:
		return "", false
	case o.choice == stopHalt:
		return "--on-stop halt", true
	case o.last():
		return "the container ends with gitd", true
	case hostStopping():
		return "the host is stopping", true
	default:
		return "", false
	}
}

// hostStopping asks systemd, where there is one, whether it is shutting down. The state of a system that runs well is
// no news, and that of one without systemd is "offline": only the word counts, not systemctl's exit code.
func hostStopping() bool {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	state, _ := exec.CommandContext(ctx, "systemctl", "is-system-running").Output()
	return strings.TrimSpace(string(state)) == "stopping"
}

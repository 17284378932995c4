// Nodeos-init is the first process of a NodeOS machine.
//
// It owns everything between the kernel and the app: modules, disks, mounts,
// the network and the way to where the app listens, the app's process as an
// ordinary user, its output, and a clean power-off. Under the name
// /usr/bin/env it starts scripts. It does not decide what to run: argv,
// environment and addresses come from the host over the control channel
// (internal/guest), and nothing is read from the image or the kernel's command
// line. Only a machine that has booted from a disk of its own, with no gitd
// beside it, finds the same message on that disk (alone.go).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

func main() {
	if filepath.Base(os.Args[0]) == "env" {
		os.Exit(runEnv(os.Args[1:]))
	}
	kernel := sinceBoot()
	out := newOutbox()
	err := run(out, int(kernel.Milliseconds()))
	if err != nil {
		fmt.Fprintln(os.Stderr, "nodeos-init:", err)
		out.put(guest.Message{Kind: guest.KindFailed, Failed: err.Error()})
	}
	out.flush(flushLimit)
	powerOff()
}

// run boots the guest and supervises the app until the machine must end.
func run(out *outbox, kernelMillis int) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("must be process 1 of a virtual machine, and is %d", os.Getpid())
	}
	spare, mounted := mountAll()
	messages, err := connect(out)
	if err != nil {
		return errors.Join(mounted, err)
	}
	if mounted != nil {
		return mounted
	}
	vm := &machine{say: out.log, spare: spare}
	s := newSupervisor(out, vm)
	reap(s.deaths)
	if err := vm.await(); err != nil {
		return err
	}
	s.booted = guest.Booted{
		KernelMillis: kernelMillis,
		InitMillis:   int(sinceBoot().Milliseconds()), // of a spare machine: until Node waits
		Kernel:       kernelRelease(),
		BeatMillis:   int(guest.BeatPeriod.Milliseconds()),
		Freezes:      true,
		Spare:        spare != nil,
	}
	out.put(guest.Message{Kind: guest.KindBooted, Booted: &s.booted})
	go readMessages(context.Background(), messages, s.messages)
	watchSignals(s)
	watchPowerButtons(s.stops)
	err = s.run()
	unmountVolumes(vm.volumes)
	return err
}

// sinceBoot is the time since the kernel started.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// Command gitd-machine is what libvirt starts in place of QEMU: one process around the QEMU of one machine, with its
// walls and its network. Libvirt gives it QEMU's arguments; the environment variable GITD_MACHINE names the file with
// the rest. Without that variable it is QEMU itself, of which libvirt asks what it can do.
//
// It owns nothing but the order: see the packages jail and gateway. The QEMU of each architecture is in emulator_*.go.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/nodeos-dev/gitd/internal/gateway"
	"github.com/nodeos-dev/gitd/internal/jail"
)

// memory is what the Go runtime tries to stay below, in bytes.
const memory = 14 << 20

func main() {
	// Hundreds of these may run beside each other, so memory is bounded; below that, collections are seldom: with Go's
	// own pace, a fifth of the requests at 16 connections was lost to them.
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(memory)
	runtime.GOMAXPROCS(2) // one thread takes what comes from the guest, one what goes to it
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gitd-machine:", err)
		code = 1
	}
	os.Exit(code)
}

func run(args []string) (int, error) {
	stage := jail.StageNow()
	if stage == jail.StageProbe {
		return 0, jail.Probe(emulator, args)
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	spec, err := jail.Load(os.Getenv(jail.EnvSpec))
	if err != nil {
		return 0, err
	}
	switch stage {
	case jail.StageEnter:
		return 0, jail.Enter(spec, self, args)
	case jail.StageInside:
		return 0, jail.Inside(spec, args)
	default:
		return jail.Supervise(spec, self, args, func(ctx context.Context, frames net.Conn, d jail.Doors) error {
			return gateway.Run(ctx, frames, gateway.Doors(d), gateway.Config{Port: spec.Port, Policy: spec.Egress})
		})
	}
}

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

func main() {
	// Hundreds of these may run beside each other.
	debug.SetGCPercent(50)
	runtime.GOMAXPROCS(1) // the network passes on what comes, and a second thread would only wait for the first
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
		return jail.Supervise(spec, self, args, func(ctx context.Context, frames net.Conn, app, control net.Listener) error {
			return gateway.Run(ctx, frames, gateway.Doors{App: app, Control: control}, gateway.Config{Port: spec.Port, Policy: spec.Egress})
		})
	}
}

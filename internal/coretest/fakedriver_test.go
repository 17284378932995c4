package coretest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/fleet/drivertest"
)

// TestFakeDriver: the driver that the core is tested with keeps the same promises as the real one.
func TestFakeDriver(t *testing.T) {
	d := &fakeDriver{machines: map[string]*fakeMachine{}, adopted: func(m *fakeMachine) {
		if m.spec.Env[drivertest.Mode] == drivertest.Serve {
			listens(m)
		}
		m.watch(core.Event{Kind: core.EventStats, Stats: &core.Stats{
			MemoryTotal: 100 << 20, MemoryUsed: 50 << 20, AppRSS: 40 << 20, CPU: time.Second, OpenFiles: 20, Processes: 1, Uptime: time.Minute,
		}})
	}}
	d.app = func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted, Boot: &core.BootTimes{Kernel: time.Second}})
		switch m.spec.Env[drivertest.Mode] {
		case drivertest.Serve:
			listens(m)
			return
		case drivertest.Eat:
			starves(m)
			d.Stop(context.Background(), m.ID, 0) //nolint:errcheck // it cannot fail
			return
		}
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: drivertest.LastWords})
		if m.spec.Env[drivertest.Mode] == drivertest.Work {
			return
		}
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 3"})
		d.Stop(context.Background(), m.ID, 0) //nolint:errcheck // it cannot fail
	}
	d.task = func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted, Boot: &core.BootTimes{Kernel: time.Second}})
		d.cat(m, 4)
	}
	var n atomic.Int32
	drivertest.Run(t, func(*testing.T) fleet.Driver { return d }, func(*testing.T) core.MachineSpec {
		return core.MachineSpec{
			ID: fmt.Sprintf("shop-v3-%d", n.Add(1)), App: "shop", Release: 3, Port: 8080, Env: map[string]string{"SAYS": drivertest.Greeting},
		}
	})
}

// starves makes the machine of an app end for want of memory.
func starves(m *fakeMachine) {
	m.watch(core.Event{Kind: core.EventExited, Detail: "ended by SIGKILL: the machine ran out of memory", OutOfMemory: true})
}

func listens(m *fakeMachine) {
	m.watch(core.Event{Kind: core.EventListening, Boot: &core.BootTimes{Kernel: time.Second, App: time.Second}})
}

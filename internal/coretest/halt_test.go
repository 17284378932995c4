package coretest

import (
	"context"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// TestHaltStopsReplacedMachines: a machine that had been replaced and was still ending its requests went on when gitd
// was halted, and was killed without a word when the host or the container ended then.
func TestHaltStopsReplacedMachines(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.openWith(func(c *engine.Config) { c.Limits.Drain = time.Hour })
	w.router.drain = func(ctx context.Context) { <-ctx.Done() } // a request of the first machine never ends
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	if n := w.driver.count(); n != 2 {
		t.Fatalf("%d machines run, want the one that serves and the one that drains", n)
	}
	w.core.Halt(t.Context())
	if n := w.driver.count(); n != 0 {
		t.Errorf("%d machines outlive the halt", n)
	}
	if _, down := w.router.target("shop"); down != "gitd is stopping" {
		t.Errorf("the front door says %q", down)
	}
	w.close()
	w.open()
	w.eventually("the live release serves again", func() bool {
		version, _ := w.live()
		return version == 2 && w.status().State == fleet.Running
	})
}

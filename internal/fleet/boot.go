package fleet

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// guestPort is where an app must listen in its machine, if it does not say another port.
const guestPort = 8080

// bootTries is how often a machine is started if it ends before anything of the app has run. A kernel that panics in
// its first second, as emulated kernels do on a busy host, says nothing about the release.
const bootTries = 3

// Boot starts a machine of rel and waits until it is healthy. If it does not become healthy, the reader of r sees the
// machine's last lines, and the machine is gone. The machine serves no requests yet.
func (f *Fleet) Boot(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*Instance, error) {
	return f.booter.boot(ctx, spec, rel, r)
}

// booter brings one machine up. It keeps no state.
type booter struct{ cfg Config }

// boot does the work of Fleet.Boot. With an error, it also returns what is left of the last machine; nil if there was
// none.
func (b booter) boot(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*Instance, error) {
	r.Step("Booting v%d: %s, %d CPU", rel.Version, units.Bytes(int64(spec.MemoryMiB)<<20), spec.CPUs)
	for try := 1; ; try++ {
		inst, err := b.bootOnce(ctx, spec, rel, r)
		if err == nil || inst == nil || latch.Closed(inst.booted) || !latch.Closed(inst.ended) || try == bootTries || ctx.Err() != nil {
			return inst, err
		}
		r.Warn("the machine ended before the app's turn (%s): trying again", progress.OneLine(inst.reason()))
		b.cfg.Log.Warn("machine did not boot", "app", rel.App, "release", rel.Version, "machine", spec.ID, "reason", inst.reason())
		if spec.ID, err = machineID(rel); err != nil {
			return nil, err
		}
	}
}

// bootOnce makes one attempt. With an error, the machine is gone, and bootOnce also returns what is left of it; nil if
// there was none.
func (b booter) bootOnce(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*Instance, error) {
	inst := newInstance(rel, b.cfg.Output)
	inst.named(core.Machine{ID: spec.ID, App: rel.App, Release: rel.Version})
	m, err := b.cfg.Driver.Boot(ctx, spec, inst.watch)
	if err != nil {
		return nil, fmt.Errorf("boot v%d: %w", rel.Version, err)
	}
	inst.named(m)
	if err := b.healthy(ctx, inst, r); err != nil {
		for _, l := range inst.lastLines() {
			r.Detail("  | %s", l)
		}
		b.stop(context.WithoutCancel(ctx), m.ID, 0) //nolint:errcheck // logged; the next start removes it
		return inst, err
	}
	return inst, nil
}

// stop ends a machine and removes it from the ledger. A failure is logged here too: Reconcile removes what is left.
func (b booter) stop(ctx context.Context, id string, grace time.Duration) error {
	if err := b.cfg.Driver.Stop(ctx, id, grace); err != nil {
		b.cfg.Log.Error("machine does not stop", "machine", id, "error", err)
		return err
	}
	if err := b.cfg.Ledger.DeleteMachine(ctx, id); err != nil {
		b.cfg.Log.Error("machine stays in the ledger", "machine", id, "error", err)
	}
	b.cfg.Log.Info("machine stopped", "machine", id)
	return nil
}

// healthy waits until the guest itself reports that the app listens, and then for a good answer. A probe from outside
// would prove nothing before that report: in user-mode networking the host side accepts connections before the guest
// listens.
//
// There is one limit until init runs, and another one for the app from then on: a slow host must not use up the time of
// the app.
func (b booter) healthy(ctx context.Context, inst *Instance, r *progress.Report) error {
	late := core.Reject(fmt.Sprintf("the machine did not boot within %s", b.cfg.Limits.Boot),
		"this is the server's fault: its operator finds more in gitd's log")
	if err := inst.await(ctx, b.cfg.Limits.Boot, inst.booted, late); err != nil {
		return err
	}
	if said := inst.bootDetail(); said != "" {
		r.Detail("%s", said)
	}
	booted := time.Now()
	limit := cmp.Or(inst.release.Manifest.Health.Timeout, b.cfg.Limits.Boot)
	late = core.Reject(fmt.Sprintf("the app did not listen on port %d within %s", portOf(inst.release), limit),
		"listen on process.env.PORT, on all addresses (0.0.0.0 or ::)")
	if err := inst.await(ctx, limit, inst.listening, late); err != nil {
		return err
	}
	if said := inst.startDetail(); said != "" {
		r.Detail("%s", said)
	}
	if said := inst.ledTo(); said != "" {
		r.Warn("%s", said)
	}
	r.Lap("boot")
	return b.probe(ctx, booted.Add(limit), inst, r)
}

// probe waits for a good answer of a candidate that listens. If the check counts attempts and sets no time, they may
// take up to probeMost.
func (b booter) probe(ctx context.Context, until time.Time, inst *Instance, r *progress.Report) error {
	check := inst.release.Manifest.Health
	if check.Attempts > 0 && check.Timeout == 0 {
		until = time.Now().Add(probeMost)
	}
	bound, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err := newProber(b.cfg.Host(inst.release.App), check).untilHealthy(bound, inst.Addr(), inst.ended, r)
	r.Lap("health")
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case latch.Closed(inst.ended):
		return inst.didNotStart()
	default:
		return core.Reject("health check failed: "+err.Error(),
			"the app must answer with a status below 500; `logs "+inst.release.App+"` has what it said")
	}
}

// await waits for an event of a candidate, for its end, or for limit. It returns late if limit is over first.
func (i *Instance) await(ctx context.Context, limit time.Duration, event <-chan struct{}, late *core.Rejection) error {
	bound, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-event:
		return nil
	case <-i.ended:
		return i.didNotStart()
	case <-i.misplaced:
		if latch.Closed(event) {
			return nil
		}
		return i.listensElsewhere()
	case <-bound.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return late
	}
}

// listensElsewhere is why a candidate is not waited for any longer: see docs/decisions/0063-wrong-port.md.
func (i *Instance) listensElsewhere() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return core.Reject(fmt.Sprintf("the app listens on %s, where it cannot be reached, and not on port %d", i.where, portOf(i.release)),
		"listen on process.env.PORT, on all addresses (0.0.0.0 or ::)")
}

// ledTo says where the app listens, if that is not its port and its machine leads requests there.
func (i *Instance) ledTo() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	where, err := netip.ParseAddrPort(i.led)
	if err != nil {
		return ""
	}
	return guest.LedTo(where, portOf(i.release))
}

func (i *Instance) didNotStart() error {
	return core.Reject("the app did not start: "+i.reason(), "its last lines are above; `logs "+i.release.App+"` has all of them")
}

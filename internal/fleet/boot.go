package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/fleet/knock"
	"github.com/nodeos-dev/gitd/internal/fleet/probe"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// bootTries is how often a machine is started if it ends before anything of the app has run. A kernel that panics in
// its first second, as emulated kernels do on a busy host, says nothing about the release.
const bootTries = 3

// mostSteady bounds what is believed of the time that a machine took to boot: the guest has a part in it.
const mostSteady = 10 * time.Second

// booter brings one machine up. It keeps no state.
type booter struct{ cfg Config }

// boot starts a machine of rel and waits until it is healthy. If it does not become healthy, the reader of r sees the
// machine's last lines, and the machine is gone. With an error, boot also returns what is left of the last machine; nil
// if there was none.
func (b booter) boot(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*Instance, error) {
	asked := spec.MemoryMiB
	for try := 1; ; try++ {
		inst, err := b.bootOnce(ctx, spec, rel, r)
		why, lacks := inst.cause()
		switch {
		case err == nil:
			if spec.MemoryMiB > asked {
				b.keepFound(ctx, spec, r)
			}
			return inst, nil
		case kept(inst) && ctx.Err() == nil:
			r.Warn("the machine that was kept is not well (%s): booting another", progress.OneLine(err.Error()))
			spec.Kept, try = false, 0
		case inst == nil || !latch.Closed(inst.ended) || ctx.Err() != nil:
			return inst, err
		case lacks != ofNothing:
			more := b.more(spec, asked, lacks)
			switch {
			case more == 0 && lacks == ofTurns:
				return inst, err
			case more == 0:
				return inst, outOfMemory(spec, lacks, why)
			}
			r.Warn("%s with %s: trying again with %s", lacks, mib(spec.MemoryMiB), mib(more))
			spec.MemoryMiB, try = more, 0
		case latch.Closed(inst.booted) || try == bootTries:
			return inst, err
		default:
			r.Warn("the machine ended before the app's turn (%s): trying again", progress.OneLine(why))
		}
		b.cfg.Log.Warn("machine did not boot", "app", rel.App, "release", rel.Version, "machine", spec.ID, "reason", why)
		if spec.ID, err = machineID(rel); err != nil {
			return nil, err
		}
	}
}

// bootOnce makes one attempt. With an error, the machine is gone, and bootOnce also returns what is left of it; nil if
// there was none.
func (b booter) bootOnce(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*Instance, error) {
	inst := newInstance(rel, spec.Process, b.cfg.Output)
	inst.memory = spec.MemoryMiB
	inst.named(core.Machine{ID: spec.ID, App: rel.App, Release: rel.Version, Process: spec.Process})
	m, err := b.cfg.Driver.Boot(ctx, spec, inst.watch)
	if _, ok := errors.AsType[*core.Rejection](err); ok {
		return nil, err // it has no place
	} else if err != nil {
		return nil, fmt.Errorf("boot v%d: %w", rel.Version, err)
	}
	m.Process = spec.Process
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
	if err := inst.await(ctx, b.cfg.Limits.Boot, inst.booted, late, inst.teller(r, "the machine to boot")); err != nil {
		return noWorker(inst, err) // it may have ended as soon as it booted
	}
	if said := inst.bootDetail(); said != "" {
		r.Detail("%s", said)
	}
	if !inst.process.IsWeb() {
		return b.steady(ctx, inst, r)
	}
	booted := time.Now()
	limit := cmp.Or(inst.release.Manifest.Health.Timeout, b.cfg.Limits.Boot)
	late = core.Reject(fmt.Sprintf("the app did not listen on port %d within %s", portOf(inst.release), limit),
		"listen on process.env.PORT, on all addresses (0.0.0.0 or ::)")
	tell := inst.teller(r, fmt.Sprintf("the app to listen on port %d", portOf(inst.release)))
	if err := inst.await(ctx, limit, inst.listening, late, tell); err != nil {
		return err
	}
	if said := inst.startDetail(); said != "" {
		r.Detail("%s", said)
	}
	if said := ledTo(inst); said != "" {
		r.Warn("%s", said)
	}
	r.Lap("boot")
	if inst.release.Manifest.Health.Off {
		r.Detail("health check: none, by package.json; the app listens on port %d", portOf(inst.release))
	} else if err := b.probe(ctx, booted.Add(limit), inst, r); err != nil {
		return err
	}
	if err := b.knock(ctx, booted.Add(limit), inst); err != nil {
		return err
	}
	if !inst.prove() {
		return inst.didNotStart()
	}
	return nil
}

// knock waits until a candidate takes connections at all ports that its app exposes.
func (b booter) knock(ctx context.Context, until time.Time, inst *Instance) error {
	bound, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err := knock.All(bound, inst.Addr(), inst.release.Manifest.Expose.Ports())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// steady waits until a worker, whose machine has booted, has run for a while. Nothing else shows that it is well: it
// need not listen, and says what it likes. A machine that took long to boot is given longer, since its worker also
// takes long to fail.
func (b booter) steady(ctx context.Context, inst *Instance, r *progress.Report) error {
	defer r.Lap("boot")
	select {
	case <-time.After(max(b.cfg.Limits.Steady, 2*bootTook(inst))):
	case <-inst.ended:
		return noWorker(inst, inst.didNotStart())
	case <-ctx.Done():
		return ctx.Err()
	}
	if !inst.prove() {
		return noWorker(inst, inst.didNotStart())
	}
	return nil
}

// noWorker is err, with another hint if the process has done what it was to do: a Procfile also names what people run
// by hand.
func noWorker(inst *Instance, err error) error {
	r, ok := errors.AsType[*core.Rejection](err)
	if why, _ := inst.cause(); !ok || why != "exit code 0" || inst.process.IsWeb() {
		return err
	}
	app, kind, first := inst.release.App, inst.process.Type, ""
	if inst.release.Version == 1 { // the app goes with its first push
		first = "`apps:create " + app + "` and "
	}
	return &core.Rejection{Reason: r.Reason, Err: r.Err, Hint: fmt.Sprintf("a process that ends by itself is no worker: take it out of the "+
		"Procfile, or %s`ps:scale %s %s=0` keeps it from being started, and `run %s %s` runs it", first, app, kind, app, kind)}
}

// bootTook is how long the machine took to boot, as far as that is known.
func bootTook(i *Instance) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.times == nil {
		return 0
	}
	return min(i.times.Total(), mostSteady)
}

// probe waits for a good answer of a candidate that listens. If the check counts attempts and sets no time, they may
// take up to probe.Most.
func (b booter) probe(ctx context.Context, until time.Time, inst *Instance, r *progress.Report) error {
	check := inst.release.Manifest.Health
	if check.Attempts > 0 && check.Timeout == 0 {
		until = time.Now().Add(probe.Most)
	}
	bound, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	p := probe.New(b.cfg.Host(inst.release.App), check)
	err := p.UntilHealthy(bound, inst.Addr(), inst.ended, r)
	r.Lap("health")
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case latch.Closed(inst.ended):
		return inst.didNotStart()
	default:
		return p.Unhealthy(inst.release, err, ", "+inst.memoryUse())
	}
}

// await waits for an event of a candidate, for its end, or for limit. It returns late if limit is over first. It calls
// tell with the time so far, after progress.Patience, and then after longer and longer pauses.
func (i *Instance) await(
	ctx context.Context, limit time.Duration, event <-chan struct{}, late *core.Rejection, tell func(time.Duration),
) error {
	bound, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun, next, pause := time.Now(), time.After(progress.Patience), progress.FirstPause
	for {
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
		case <-next:
			tell(time.Since(begun))
			next, pause = time.After(pause), min(2*pause, progress.LongPause)
		case <-bound.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if i.tight() {
				return i.didNotStart()
			}
			return core.Reject(late.Reason+", "+i.memoryUse(), late.Hint)
		}
	}
}

// teller returns what tells the reader of r that a candidate is waited for.
func (i *Instance) teller(r *progress.Report, what string) func(time.Duration) {
	return func(waited time.Duration) {
		r.Detail("waiting for %s: %s so far, %s", what, units.Took(waited), i.memoryUse())
	}
}

// listensElsewhere is why a candidate is not waited for any longer: see docs/decisions/0063-wrong-port.md.
func (i *Instance) listensElsewhere() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return core.Reject(fmt.Sprintf("the app listens on %s, where it cannot be reached, and not on port %d", i.where, portOf(i.release)),
		"listen on process.env.PORT, on all addresses (0.0.0.0 or ::)")
}

// ledTo says where the app of i listens, if that is not its port and its machine leads requests there.
func ledTo(i *Instance) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	where, err := netip.ParseAddrPort(i.led)
	if err != nil {
		return ""
	}
	return guest.LedTo(where, portOf(i.release))
}

// didNotStart is why a candidate failed that has ended. What the app itself said of it is the reason.
func (i *Instance) didNotStart() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	what, why := "the app did not start: ", i.why
	if i.exited && latch.Closed(i.listening) {
		what = "the app listened, and then ended: "
	}
	if said := complaint(i.tail); said != "" && i.exited {
		why = said + " (" + i.why + ")"
	}
	hint := "it said nothing; `logs " + i.release.App + "` has what its machine said"
	if slices.ContainsFunc(i.tail, said.ofApp) {
		hint = "its last lines are above; `logs " + i.release.App + "` has all of them"
	}
	return &core.Rejection{Reason: what + why, Hint: hint, Err: endedEarly(what + i.why)}
}

// endedEarly is how a candidate ended, without what its app said. That is for those who may read the app's logs, since
// it may name a password in a URL.
type endedEarly string

func (e endedEarly) Error() string { return string(e) }

// forEverybody is an error of a boot as the front door says it, to whoever asks.
func forEverybody(err error) string {
	if e, ok := errors.AsType[endedEarly](err); ok {
		err = e
	}
	return progress.OneLine(disk.Rejected(err).Error())
}

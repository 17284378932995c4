package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/turns"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// settled is how long a machine, or an app in it, must have run so that its end does not count as part of a crash loop.
const settled = time.Minute

// lost handles a machine that is silent, or that ended although nobody asked it to. If it had its post, the post is
// empty until another machine of the release is healthy.
func (p *post) lost(inst *Instance, reason string) {
	f, life := p.k.f, p.k.f.cfg.Work.Context()
	if life.Err() != nil || !p.unserve(inst) {
		return
	}
	app, reason := p.k.name(), progress.OneLine(reason)
	p.goDown("its machine ended: "+reason, true)
	f.cfg.Log.Warn("machine lost", "app", app, "process", p.process.String(), "machine", inst.ID(), "reason", reason)
	f.cfg.Trail.Note(life, app, "gitd", "machine.lost", p.names(inst)+": "+reason)
	f.observe(core.AtLost, inst, reason)
	wait := p.countLoss(inst)
	f.booter.stop(life, inst.ID(), 0) //nolint:errcheck // logged; the next start removes it
	p.revive(wait)
}

// names is a machine in the audit. Of the first of web, nobody asks.
func (p *post) names(inst *Instance) string {
	if p.process == core.FirstWeb {
		return inst.ID()
	}
	return inst.ID() + " (" + p.process.String() + ")"
}

// crashed notes that an app has ended in its machine, where init starts it again.
func (p *post) crashed(inst *Instance, how string, succession int) {
	k := p.k
	life := k.f.cfg.Work.Context()
	if life.Err() != nil || p.current() != inst {
		return
	}
	k.f.cfg.Log.Warn("app crashed", "app", k.name(), "process", p.process.String(), "machine", inst.ID(), "how", how, "in_succession", succession)
	k.f.cfg.Trail.Note(life, k.name(), "gitd", "app.crashed",
		fmt.Sprintf("%s: %s; number %d in succession", p.names(inst), progress.OneLine(how), succession))
}

// revive boots a machine of the app's live release in the background, again and again with growing pauses, until one
// has the post, the app is stopped or destroyed, or the post has ended.
func (p *post) revive(wait time.Duration) {
	if !p.revival.Begin() {
		return
	}
	p.k.f.cfg.Work.Go(func(ctx context.Context) {
		for {
			p.tryRevival(ctx, wait)
			if ctx.Err() != nil || p.revival.End() {
				return
			}
			wait = 0
		}
	})
}

func (p *post) tryRevival(ctx context.Context, wait time.Duration) {
	for n := 1; ; n++ {
		if background.Sleep(ctx, wait) != nil {
			return
		}
		err := p.reviveOnce(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case errors.Is(err, turns.ErrYielded):
			// Somebody else wanted the stage and has it now: look again after that.
			wait, n = 0, 0
		default:
			wait = background.Pause(n + 1)
			p.notRevived(ctx, err, wait)
		}
	}
}

// notRevived notes in the log, in the audit and at the front door that a revival failed, and when the next attempt
// comes.
func (p *post) notRevived(ctx context.Context, err error, wait time.Duration) {
	if !p.k.posts.has(p) {
		return
	}
	why := forEverybody(err)
	log := p.k.f.cfg.Log
	log.Error("app does not come back", "app", p.k.name(), "process", p.process.String(), "error", why, "next_try", wait.String())
	p.k.f.cfg.Trail.Note(ctx, p.k.name(), "gitd", "machine.failed", why)
	_, waits := errors.AsType[*core.Rejection](err) // for room, if it has not even booted
	p.goDown(fmt.Sprintf("it does not start: %s; next try in %s", why, wait), !waits)
}

// reviveOnce makes one attempt, and takes one of the places for machines that start side by side.
func (p *post) reviveOnce(ctx context.Context) error {
	select {
	case p.k.f.boots <- struct{}{}:
		defer func() { <-p.k.f.boots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lent, release, err := p.k.stage.Lend(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := p.bootLive(lent); err != nil {
		if lent.Err() != nil && ctx.Err() == nil {
			return turns.ErrYielded
		}
		return err
	}
	return nil
}

// bootLive starts a machine of the app's live release for the post, unless it has one, or has ended, or the app is
// stopped. The caller holds the stage.
func (p *post) bootLive(ctx context.Context) error {
	if p.current() != nil || !p.k.posts.has(p) {
		return nil
	}
	f := p.k.f
	_, rel, ok, err := p.k.live(ctx)
	if !ok {
		return err
	}
	spec, err := f.booter.spec(ctx, rel, p.process)
	if err != nil {
		return err
	}
	inst, err := f.booter.boot(ctx, spec, rel, progress.NewReport(nil))
	if err != nil {
		p.didNotStart(ctx, inst)
		return ofProcess(p.process, err)
	}
	return p.k.started(ctx, rel, &Formation{[]*Instance{inst}})
}

// live is the app with its live release; ok is false if it is not to run.
func (k *keeper) live(ctx context.Context) (a core.App, rel core.Release, ok bool, err error) {
	a, err = k.f.cfg.Ledger.App(ctx, k.name())
	if err != nil || a.Live == 0 || a.Stopped {
		return a, rel, false, core.IgnoreMissing(err)
	}
	rel, err = k.f.cfg.Ledger.Release(ctx, a.Name, a.Live)
	return a, rel, err == nil, err
}

// bootLive starts the machines of the app's live release that are missing, unless the app is stopped, destroyed or has
// no live release. It returns the posts for which it did. The caller holds the stage.
func (k *keeper) bootLive(ctx context.Context, r *progress.Report) (missing []*post, err error) {
	a, rel, ok, err := k.live(ctx)
	if !ok {
		return nil, err
	}
	missing, left := k.posts.need(a.Scale.Formation(rel.Manifest))
	k.retireSoon(0, left, k.direct())
	l, err := k.f.booter.lineup(ctx, rel, a.Scale, func(process core.ProcessID) bool { return k.posts.of(process).current() == nil })
	if err != nil {
		return missing, err
	}
	l.failed = func(process core.ProcessID, inst *Instance) { k.posts.of(process).didNotStart(ctx, inst) }
	made, err := k.f.Boot(ctx, l, r)
	if err != nil {
		return missing, err
	}
	return missing, k.started(ctx, rel, made)
}

// started has machines of the live release serve, beside those that do.
func (k *keeper) started(ctx context.Context, rel core.Release, made *Formation) error {
	f := k.f
	if err := f.booter.save(ctx, made); err != nil {
		f.Discard(made)
		return err
	}
	k.front(made)
	f.cfg.Label(ctx, rel.App)
	for _, inst := range made.machines {
		f.cfg.Trail.Note(ctx, rel.App, "gitd", "machine.started", k.posts.of(inst.process).names(inst))
		f.cfg.Log.Info("machine started", "app", rel.App, "release", rel.Version, "process", inst.process.String(), "machine", inst.ID())
		f.observe(core.AtStarted, inst, "")
	}
	return nil
}

// save stores the machines of a formation.
func (b booter) save(ctx context.Context, made *Formation) error {
	for _, m := range made.Machines() {
		if err := b.cfg.Ledger.SaveMachine(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

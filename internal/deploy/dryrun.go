package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// dryRun tries what a push would do, up to the moment at which it would change something: the commit is built, or its
// kept image is taken, and its web boots until it is healthy. No release is made, nothing serves, no ref moves.
//
// Workers do not boot, because they would begin to work, and the release command does not run, because it changes a
// database. An app whose volume belongs to the machine that runs is built only.
func (p *pushing) dryRun(ctx context.Context, draft core.Release) error {
	newest, err := p.cfg.Ledger.Releases(ctx, p.app.Name, 1)
	if err != nil {
		return err
	}
	draft.App, draft.Pusher, draft.Created, draft.Version = p.app.Name, p.by.Name, time.Now(), 1
	if len(newest) > 0 {
		draft.Version = newest[0].Version + 1
	}
	p.release = draft
	if draft.State == core.Building {
		open := func(core.Manifest) error { return nil } // ports of the host are not taken
		if p.release.Manifest, err = p.makeImage(ctx, open); err != nil {
			return err
		}
	}
	if err := p.tryBoot(ctx); err != nil {
		return err
	}
	p.unmoved()
	p.report.Done("dry run: this would become v%d; nothing was changed", draft.Version)
	return nil
}

func (p *pushing) tryBoot(ctx context.Context) error {
	lineup, err := p.cfg.Fleet.Lineup(ctx, p.release)
	if err != nil {
		return err
	}
	sound := p.verify(ctx)
	if lineup.Exclusive() {
		p.report.Warn("its boot is not tried: its volume belongs to one machine at a time, and that is the one that serves")
		return sound()
	}
	web := lineup.Web()
	if web.Empty() {
		p.report.Warn("its boot is not tried: it has no web process that runs, and a worker would begin to work")
		return sound()
	}
	p.observe(core.AtBooting)
	candidates, err := p.cfg.Fleet.Boot(ctx, web, p.report)
	if err == nil {
		p.cfg.Fleet.Discard(candidates)
	}
	return errors.Join(sound(), err)
}

// unmoved makes git tell the client that the ref stands where it stood, so that its own note of the remote is right. A
// client that was shown no ref has none.
func (p *pushing) unmoved() {
	c := p.want.deploy
	p.verdict = &core.Verdict{Ref: c.Ref}
	if !core.Zero(p.before) && p.want.trigger == core.ByPush {
		p.verdict.Moved = &core.Command{Ref: c.Ref, Old: p.before, New: p.before}
	}
}

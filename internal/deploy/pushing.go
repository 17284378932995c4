package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// pushing is the deployment of a push.
type pushing struct {
	*deployment
	push   core.Push
	want   *intent
	dry    bool   // everything is tried, and nothing is changed
	before string // commit of the release that was live at the start; zeros: none
	whole  bool   // all files of its image exist, so that it can be booted again

	verdict *core.Verdict // of the ref that deploys, if it differs from what judge said; nil: it does not
}

// work does what the push wants, and reports whether a release is live by it. The caller has entered.
func (p *pushing) work(ctx context.Context) (live bool) {
	if err := p.readTags(ctx); err != nil {
		p.want.rejectOthers(p.push, p.explain(because(ctx, err, p.ended)))
		return false
	}
	if c := p.want.deploy; c != nil {
		err := p.deployPush(ctx)
		if live = err == nil; !live {
			err = because(ctx, err, p.ended)
		}
		p.judged(c.Ref, err)
	}
	if p.dry {
		return live
	}
	// The push may have been replaced: its tags are stored all the same.
	if err := p.storeTags(p.cfg.Work.Context()); err != nil {
		reason := p.explain(err)
		for _, c := range p.acceptedTags() {
			p.want.reject(c, "%s", reason)
		}
	}
	return live
}

// judged notes what became of the ref that deploys.
func (p *pushing) judged(ref string, err error) {
	switch {
	case err != nil:
		p.want.verdicts[ref] = core.Verdict{Ref: ref, Reject: p.explain(err)}
		if p.push.Atomic {
			p.want.rejectOthers(p.push, "atomic push: another ref was refused")
		}
	case p.verdict != nil:
		p.want.verdicts[ref] = *p.verdict
	}
}

// deployPush deploys, or finds that there is nothing to do. The caller has entered.
func (p *pushing) deployPush(ctx context.Context) error {
	if err := p.unlocked(); err != nil {
		return err
	}
	if err := p.look(ctx); err != nil {
		return err
	}
	commit, err := p.cfg.Repos.Commit(ctx, p.push, p.want.deploy.New)
	if err != nil {
		return err
	}
	if commit.ID == p.before && !p.app.Stopped && p.whole {
		return p.alreadyLive(ctx)
	}
	draft := core.Release{Commit: commit.ID, Subject: commit.Subject, Trigger: p.want.trigger, State: core.Building}
	if p.want.trigger == core.ByTag {
		if err := p.useKept(ctx, &draft); err != nil {
			return err
		}
	}
	p.branch, p.shallow, p.tags, p.quarantine = p.want.branch, p.push.Shallow, p.acceptedTags(), p.push.Quarantine
	if p.dry {
		return p.dryRun(ctx, draft)
	}
	if err := p.deployment.run(ctx, draft); err != nil {
		return err
	}
	p.sayMoved()
	return nil
}

// look reads which release is live, now that nobody else can change that.
func (p *pushing) look(ctx context.Context) error {
	p.before = strings.Repeat("0", len(p.want.deploy.New))
	if p.app.Live == 0 {
		return nil
	}
	live, err := p.cfg.Ledger.Release(ctx, p.app.Name, p.app.Live)
	if err != nil {
		return err
	}
	p.before, p.whole = live.Commit, p.takeImage(live.Manifest) == nil
	if c := p.want.deploy; p.want.trigger == core.ByPush && c.Old != live.Commit && c.New != live.Commit {
		return core.Reject(
			fmt.Sprintf("%s moved to %.7s (v%d, pushed by %s) meanwhile", p.app.Branch, live.Commit, live.Version, live.Pusher),
			"git pull, then push again")
	}
	return nil
}

// alreadyLive handles a push of the commit that is live: the same commit was pushed twice at once, or a tag names it.
// There is nothing to deploy and no ref for git to move.
func (p *pushing) alreadyLive(ctx context.Context) error {
	live, err := p.cfg.Ledger.Release(ctx, p.app.Name, p.app.Live)
	if err != nil {
		return err
	}
	p.release = live
	p.verdict = &core.Verdict{Ref: p.want.deploy.Ref}
	p.report.Detail("v%d already runs this commit", live.Version)
	return nil
}

// useKept makes the release boot the stored image of its commit, if there is one.
func (p *pushing) useKept(ctx context.Context, draft *core.Release) error {
	kept, err := p.cfg.Ledger.Image(ctx, p.app.Name, draft.Commit)
	switch {
	case errors.Is(err, core.ErrNotFound):
		p.report.Step("%.7s was never live here: it is built", draft.Commit)
		return nil
	case err != nil:
		return err
	}
	if gone := p.takeImage(kept.Manifest); gone != nil {
		p.report.Step("The image of v%d (%.7s) is no longer kept: it is built again", kept.Version, draft.Commit)
		return nil //nolint:nilerr // what is gone is built again
	}
	draft.Manifest, draft.State, draft.ImageOf = kept.Manifest, core.Built, imageOf(kept)
	p.report.Step("Rolling back to v%d (%.7s): its image is kept, no build", draft.ImageOf, draft.Commit)
	return nil
}

// imageOf returns the version that r's image was built for.
func imageOf(r core.Release) int {
	if r.ImageOf > 0 {
		return r.ImageOf
	}
	return r.Version
}

// sayMoved makes git tell the client that a tag has moved the deploy branch.
func (p *pushing) sayMoved() {
	if p.want.trigger != core.ByTag {
		return
	}
	p.verdict = &core.Verdict{
		Ref:   p.want.deploy.Ref,
		Moved: &core.Command{Ref: heads + p.app.Branch, Old: p.before, New: p.release.Commit},
	}
}

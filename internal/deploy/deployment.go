package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// deployment is one run: a push on its way to being live.
type deployment struct {
	d      *Deployer
	push   Push
	want   *intent
	report *Report

	app     App
	before  string // commit of the release that was live at the start; zeros: none
	release Release
	verdict *Verdict // when it differs from what judge said
}

// run takes the app's lock and deploys under it.
func (j *deployment) run(ctx context.Context) error {
	unlock, err := j.d.locks.acquire(ctx, j.push.App, "a push by "+j.push.Pusher, func(holder string, since time.Time) {
		j.report.Step("Waiting: %s has been deploying for %s", holder, took(time.Since(since)))
	})
	if err != nil {
		return err
	}
	defer unlock()
	j.report.Lap("wait")
	if err := j.look(ctx); err != nil {
		return err
	}
	commit, err := j.d.cfg.Repos.Commit(ctx, j.push.App, j.want.deploy.New)
	if err != nil {
		return err
	}
	if commit.ID == j.before {
		return j.alreadyLive(ctx)
	}
	return j.deploy(ctx, commit)
}

// look reads where the app stands, now that nobody else can move it.
func (j *deployment) look(ctx context.Context) error {
	var err error
	if j.app, err = j.d.cfg.Ledger.App(ctx, j.push.App); err != nil {
		return err
	}
	j.before = strings.Repeat("0", len(j.want.deploy.New))
	if j.app.Live == 0 {
		return nil
	}
	live, err := j.d.cfg.Ledger.Release(ctx, j.app.Name, j.app.Live)
	if err != nil {
		return err
	}
	j.before = live.Commit
	if c := j.want.deploy; j.want.trigger == ByPush && c.Old != live.Commit && c.New != live.Commit {
		return Reject(
			fmt.Sprintf("%s moved to %.7s (v%d, pushed by %s) meanwhile", j.app.Branch, live.Commit, live.Version, live.Pusher),
			"git pull, then push again")
	}
	return nil
}

// alreadyLive: the same commit was pushed twice at once, or a tag names what
// runs. There is nothing to do and nothing for git to move.
func (j *deployment) alreadyLive(ctx context.Context) error {
	live, err := j.d.cfg.Ledger.Release(ctx, j.app.Name, j.app.Live)
	if err != nil {
		return err
	}
	j.release = live
	j.verdict = &Verdict{Ref: j.want.deploy.Ref}
	j.report.Detail("v%d already runs this commit", live.Version)
	return nil
}

func (j *deployment) deploy(ctx context.Context, commit Commit) error {
	if err := j.start(ctx, commit); err != nil {
		return err
	}
	inst, err := j.candidate(ctx)
	if err == nil {
		err = j.swap(ctx, inst)
	}
	if err != nil {
		j.failed(err)
	}
	return err
}

// start puts the new release into the ledger, with the stored image of its
// commit where there is one.
func (j *deployment) start(ctx context.Context, commit Commit) error {
	rel := Release{
		App: j.app.Name, Commit: commit.ID, Subject: commit.Subject,
		Pusher: j.push.Pusher, Trigger: j.want.trigger, State: Building, Created: time.Now(),
	}
	if j.want.trigger == ByTag {
		switch kept, err := j.d.cfg.Ledger.Image(ctx, j.app.Name, commit.ID); {
		case err == nil && j.d.cfg.State.Kept(kept.Manifest) == nil:
			rel.Manifest = kept.Manifest
			j.report.Step("Rolling back to v%d (%.7s): its image is kept, no build", kept.Version, commit.ID)
		case err != nil && !errors.Is(err, ErrNotFound):
			return err
		}
	}
	var err error
	if j.release, err = j.d.cfg.Ledger.AddRelease(ctx, rel); err != nil {
		return err
	}
	j.keepOutput()
	j.d.cfg.Log.Info("deployment started", "app", rel.App, "release", j.release.Version,
		"commit", rel.Commit, "pusher", rel.Pusher, "trigger", string(rel.Trigger))
	return nil
}

// keepOutput has the text of this deployment kept from here on, where
// `logs --build` finds it.
func (j *deployment) keepOutput() {
	w, err := j.d.cfg.BuildLogs.Begin(j.release.App, j.release.Version)
	if err != nil {
		j.d.cfg.Log.Error("build output is not kept", "app", j.release.App, "error", err)
		return
	}
	j.report.keep(w)
}

// candidate builds the image if need be and boots it until it is healthy.
func (j *deployment) candidate(ctx context.Context) (*instance, error) {
	if j.release.Manifest.Empty() {
		src := Source{App: j.app.Name, Repo: j.d.cfg.State.Repo(j.app.Name), Commit: j.release.Commit}
		m, err := j.d.cfg.Builder.Build(ctx, src, j.report)
		if err != nil {
			return nil, err
		}
		j.release.Manifest = m
	}
	j.release.State = Booting
	if err := j.d.cfg.Ledger.SaveRelease(ctx, j.release); err != nil {
		return nil, err
	}
	return j.d.boot(ctx, j.release, j.report)
}

// swap makes the candidate live. The ledger is first: after a crash between
// the two, the next process finds the new release live and routes to it.
func (j *deployment) swap(ctx context.Context, inst *instance) error {
	j.report.Step("Switching traffic")
	j.release.State, j.release.Finished = Live, time.Now()
	j.release.Steps = j.report.Steps()
	err := j.recordBranch(ctx)
	if err == nil {
		err = j.d.promote(ctx, inst, j.release)
	}
	if err != nil {
		j.d.stop(context.WithoutCancel(ctx), inst.id(), 0)
		return err
	}
	j.moveToTag(ctx)
	j.report.Lap("swap")
	j.d.record(ctx, j.app.Name, j.push.Pusher, "release.live", fmt.Sprintf("v%d %.7s by %s", j.release.Version, j.release.Commit, j.release.Trigger))
	j.d.cfg.Log.Info("release is live", "app", j.app.Name, "release", j.release.Version,
		"commit", j.release.Commit, "pusher", j.push.Pusher, "steps", j.times())
	return nil
}

// recordBranch stores the deploy branch of a first push. It comes before the
// release is live: with a live release and no branch, RepairRefs could not
// move a ref that git was kept from moving.
func (j *deployment) recordBranch(ctx context.Context) error {
	if j.want.branch == "" {
		j.want.branch = "main" // a tag came first
	}
	if j.app.Branch == j.want.branch {
		return nil
	}
	return j.d.cfg.Ledger.SetBranch(ctx, j.app.Name, j.want.branch)
}

// moveToTag moves the deploy branch to a tag's commit and has git tell the
// client so. A pushed branch is moved by git itself, which alone can do that
// for a shallow push.
func (j *deployment) moveToTag(ctx context.Context) {
	if j.want.trigger != ByTag {
		return
	}
	if err := j.d.cfg.Repos.Point(ctx, j.app.Name, j.want.branch, j.release.Commit); err != nil {
		j.d.cfg.Log.Error("branch not moved to the tag", "app", j.app.Name, "error", err)
	}
	j.verdict = &Verdict{
		Ref:   j.want.deploy.Ref,
		Moved: &Command{Ref: heads + j.want.branch, Old: j.before, New: j.release.Commit},
	}
}

// failed stores why, on a context of its own: the deployment's may be over.
func (j *deployment) failed(cause error) {
	ctx := context.WithoutCancel(j.d.life)
	j.release.State, j.release.Finished = Failed, time.Now()
	j.release.Reason = oneLine(cause.Error())
	j.release.Steps = j.report.Steps()
	if err := j.d.cfg.Ledger.SaveRelease(ctx, j.release); err != nil {
		j.d.cfg.Log.Error("failed release not saved", "app", j.app.Name, "error", err)
	}
	j.d.record(ctx, j.app.Name, j.push.Pusher, "release.failed", fmt.Sprintf("v%d %s", j.release.Version, j.release.Reason))
	j.d.cfg.Log.Warn("release failed", "app", j.app.Name, "release", j.release.Version, "reason", j.release.Reason)
}

// summary is printed when git has moved its refs.
func (j *deployment) summary() string {
	var b strings.Builder
	r := NewReport(&b)
	r.keep(j.report.takeKept())
	defer r.endKeep()
	r.Detail("%s", j.times())
	r.Done("v%d is live at %s", j.release.Version, j.d.cfg.URL(j.app.Name))
	return b.String()
}

// times is the table of a push in one line. Phases that most pushes pass
// through in no time are named only when they took some.
func (j *deployment) times() string {
	var parts []string
	var total time.Duration
	for _, s := range j.report.Steps() {
		total += s.Took
		if !slices.Contains([]string{"wait", "base", "export", "build"}, s.Name) || s.Took > 100*time.Millisecond {
			parts = append(parts, s.Name+" "+took(s.Took))
		}
	}
	return strings.Join(append(parts, "total "+took(total)), " · ")
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// maxSettle is how long git has to move its refs after it knows the verdict.
const maxSettle = 30 * time.Second

// Outcome is the result of a push.
type Outcome struct {
	Verdicts []core.Verdict `json:"verdicts"`
	Summary  string         `json:"summary,omitempty"` // for people, in push form; printed after git has moved its refs

	settle func()
}

// Settle says that git has moved its refs, or never will. Until then nobody else gets the app's turn: they could find a
// branch that differs from what is live, and repair it while git is about to move it. The turn ends after maxSettle at
// the latest, because a client that was suspended keeps its git from ending. Settle may be called more than once.
func (o Outcome) Settle() {
	if o.settle != nil {
		o.settle()
	}
}

// Receive judges the refs of a push and deploys what must be deployed, with progress on w. It returns when the release
// is live or has failed. The caller must Settle the outcome.
func (d *Deployer) Receive(p core.Push, w io.Writer) Outcome {
	done, err := d.cfg.Work.Begin()
	if err != nil {
		return d.refuseAll(p, errPushStopping)
	}
	defer done()
	out := progress.NewPatient(w)
	defer out.End()
	want, objects, r := wishesOf(p.Options), (*progress.Objects)(nil), progress.NewReport(out)
	if want.objects {
		objects = progress.NewObjects(out)
		r = progress.NewReport(objects)
	}
	r.Since(p.Started)
	s := d.begin(core.Work{ID: p.ID, Push: true, App: p.App, By: p.By.Name, Began: p.Started}, r)
	r.Lap("receive")
	if d.cfg.Traced(p.ID) {
		r.Detail("trace %s", p.ID)
	}
	want.sayIgnored(r)
	o := d.judge(p, want, s, r)
	ended := s.over(o.refused())
	if objects != nil {
		o.inObjects(objects, s.object(ended, o, want, r, d.cfg.URL))
	}
	return o
}

// judge says what the refs of a push mean, and does it.
func (d *Deployer) judge(p core.Push, want wishes, s *story, r *progress.Report) Outcome {
	if want.unclear != "" {
		return d.refuseAll(p, core.Reject(fmt.Sprintf("the push option %q may mean that nothing is to be deployed: write -o dry-run", want.unclear), ""))
	}
	app, err := d.cfg.Ledger.App(d.cfg.Work.Context(), p.App)
	if err != nil {
		return d.refuseAll(p, err)
	}
	in := judge(p, app.Branch, app.OnlyTags)
	if in.deploy == nil && len(in.tags) == 0 {
		return Outcome{Verdicts: in.list(p)}
	}
	return d.receive(p, &in, want.dry, s, r)
}

// refused is why a ref of the push was refused; nil: none was.
func (o Outcome) refused() error {
	for _, v := range o.Verdicts {
		if v.Reject != "" {
			return errors.New(v.Reject)
		}
	}
	return nil
}

func (d *Deployer) receive(p core.Push, in *intent, dry bool, s *story, r *progress.Report) Outcome {
	job := &pushing{deployment: d.deploymentOf(p.By, p.App, in.what(), s, r), push: p, want: in, dry: dry}
	job.ended = errPushStopping
	if dry {
		s.tries()
	}
	if in.deploy != nil && !dry {
		job.replacing()
		job.turn.hint = "only the newest push is deployed; when it is live, git pull, and push again if yours is not in it"
	}
	defer r.EndKeep()
	ctx, leave, err := job.enter()
	if err != nil {
		in.rejectOthers(p, job.explain(err))
		return Outcome{Verdicts: in.list(p)}
	}
	if !job.work(ctx) || dry {
		leave()
		return Outcome{Verdicts: in.list(p)}
	}
	time.AfterFunc(maxSettle, leave)
	return Outcome{Verdicts: in.list(p), Summary: job.summary(), settle: leave}
}

func (d *Deployer) refuseAll(p core.Push, err error) Outcome {
	d.cfg.logOf(p.ID).Error("push refused", "app", p.App, "error", err)
	var out Outcome
	for _, c := range p.Commands {
		out.Verdicts = append(out.Verdicts, core.Verdict{Ref: c.Ref, Reject: oneLine(err)})
	}
	return out
}

// explain prints what a failure means for the pusher, and returns the reason for git's reject line. Causes that are not
// the pusher's are logged in full.
func (p *pushing) explain(err error) string {
	rej := disk.Full(err)
	switch {
	case rej != nil:
		p.log.Error("the disk is full", "app", p.push.App, "error", err)
	case errors.As(err, &rej):
	case errors.Is(err, context.Canceled):
		rej = errPushStopping
	default:
		p.log.Error("deployment failed", "app", p.push.App, "error", err)
		rej = core.Reject(err.Error(), "")
	}
	p.report.Warn("%s", rej.Reason)
	if rej.Hint != "" {
		p.report.Warn("%s", rej.Hint)
	}
	return progress.OneLine(rej.Reason)
}

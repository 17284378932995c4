package deploy

import (
	"context"
	"errors"
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
	r := progress.NewReport(out)
	r.Since(p.Started)
	r.Lap("receive")

	sayIgnored(p.Options, r)
	app, err := d.cfg.Ledger.App(d.cfg.Work.Context(), p.App)
	if err != nil {
		return d.refuseAll(p, err)
	}
	in := judge(p, app.Branch)
	if in.deploy == nil && len(in.tags) == 0 {
		return Outcome{Verdicts: in.list(p)}
	}
	return d.receive(p, &in, r)
}

func (d *Deployer) receive(p core.Push, in *intent, r *progress.Report) Outcome {
	job := &pushing{deployment: d.deploymentOf(p.By, p.App, in.what(), r), push: p, want: in}
	job.ended = errPushStopping
	if in.deploy != nil {
		job.replacing()
		job.turn.hint = "only the newest push is deployed; when it is live, git pull, and push again if yours is not in it"
	}
	defer r.EndKeep()
	ctx, leave, err := job.enter()
	if err != nil {
		in.rejectOthers(p, d.explain(p.App, err, r))
		return Outcome{Verdicts: in.list(p)}
	}
	if !job.work(ctx) {
		leave()
		return Outcome{Verdicts: in.list(p)}
	}
	time.AfterFunc(maxSettle, leave)
	return Outcome{Verdicts: in.list(p), Summary: job.summary(), settle: leave}
}

func (d *Deployer) refuseAll(p core.Push, err error) Outcome {
	d.cfg.Log.Error("push refused", "app", p.App, "error", err)
	var out Outcome
	for _, c := range p.Commands {
		out.Verdicts = append(out.Verdicts, core.Verdict{Ref: c.Ref, Reject: oneLine(err)})
	}
	return out
}

// explain prints what a failure means for the pusher, and returns the reason for git's reject line. Causes that are not
// the pusher's are logged in full.
func (d *Deployer) explain(app string, err error, r *progress.Report) string {
	rej := disk.Full(err)
	switch {
	case rej != nil:
		d.cfg.Log.Error("the disk is full", "app", app, "error", err)
	case errors.As(err, &rej):
	case errors.Is(err, context.Canceled):
		rej = errPushStopping
	default:
		d.cfg.Log.Error("deployment failed", "app", app, "error", err)
		rej = core.Reject(err.Error(), "")
	}
	r.Warn("%s", rej.Reason)
	if rej.Hint != "" {
		r.Warn("%s", rej.Hint)
	}
	return progress.OneLine(rej.Reason)
}

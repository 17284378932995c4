package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// maxReason bounds the text of a reject line, in bytes.
const maxReason = 200

// Outcome is what a push came to.
type Outcome struct {
	Verdicts []Verdict `json:"verdicts"`
	Summary  string    `json:"summary,omitempty"` // for people, in push form; printed once git has moved its refs
}

// Receive judges the refs of a push and deploys what is to be deployed,
// with progress on w. It returns when the release is live or has failed.
func (d *Deployer) Receive(p Push, w io.Writer) Outcome {
	d.work.Add(1)
	defer d.work.Done()
	r := NewReport(w)
	r.since(p.Started)
	r.note = func(step string) { d.cfg.Log.Debug("step", "app", p.App, "step", step) }
	r.Lap("receive")

	app, err := d.cfg.Ledger.App(d.life, p.App)
	if err != nil {
		return d.refuseAll(p, err)
	}
	in := judge(p, app.Branch)
	if n := in.labels(); n > 0 {
		r.Detail("%d tag(s) noted; a tag deploys when it is pushed alone", n)
	}
	if in.deploy == nil {
		return Outcome{Verdicts: in.list(p)}
	}
	return d.receive(p, &in, r)
}

func (d *Deployer) receive(p Push, in *intent, r *Report) Outcome {
	job := &deployment{d: d, push: p, want: in, report: r}
	defer r.endKeep()
	err := job.run(d.life)
	if err != nil {
		reason := d.explain(p.App, err, r)
		in.verdicts[in.deploy.Ref] = Verdict{Ref: in.deploy.Ref, Reject: reason}
		return Outcome{Verdicts: in.list(p)}
	}
	if job.verdict != nil {
		in.verdicts[in.deploy.Ref] = *job.verdict
	}
	return Outcome{Verdicts: in.list(p), Summary: job.summary()}
}

func (d *Deployer) refuseAll(p Push, err error) Outcome {
	d.cfg.Log.Error("push refused", "app", p.App, "error", err)
	var out Outcome
	for _, c := range p.Commands {
		out.Verdicts = append(out.Verdicts, Verdict{Ref: c.Ref, Reject: oneLine(err.Error())})
	}
	return out
}

// explain prints what a failure means to the pusher and returns the reason
// for git's reject line. Causes that are not the pusher's are logged in full.
func (d *Deployer) explain(app string, err error, r *Report) string {
	var rej *Rejection
	switch {
	case errors.As(err, &rej):
		r.Warn("%s", rej.Reason)
		if rej.Hint != "" {
			r.Warn("%s", rej.Hint)
		}
	case errors.Is(err, context.Canceled):
		rej = Reject("gitd is stopping; push again when it is back", "")
	default:
		d.cfg.Log.Error("deployment failed", "app", app, "error", err)
		rej = Reject(err.Error(), "")
		r.Warn("%s", err)
	}
	return oneLine(rej.Reason)
}

func oneLine(s string) string {
	s = Printable(strings.ReplaceAll(s, "\n", " "))
	if len(s) > maxReason {
		s = s[:maxReason] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// took prints a duration as people compare them: "4.1s", "35ms".
func took(t time.Duration) string {
	if t < time.Second {
		return fmt.Sprintf("%dms", t.Milliseconds())
	}
	return fmt.Sprintf("%.1fs", t.Seconds())
}

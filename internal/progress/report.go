package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Report tells the pusher what a deployment does, in Heroku's form, and keeps the time of each phase. Its methods are
// safe for concurrent use and never fail: a pusher who has gone must not stop a deployment.
type Report struct {
	mu    sync.Mutex
	w     io.Writer
	kept  io.WriteCloser // gets the same text; may be nil
	last  time.Time
	steps []core.Step
	tell  func(m core.Moment) // may be nil
	ended func(p core.Phase)  // may be nil
}

// NewReport writes to w; nil discards.
func NewReport(w io.Writer) *Report {
	if w == nil {
		w = io.Discard
	}
	return &Report{w: w, last: time.Now()}
}

// Step announces a step: "-----> Building".
func (r *Report) Step(format string, args ...any) {
	r.line("-----> ", format, args)
}

// Detail prints below the current step. A text of several lines is indented
// as a whole.
func (r *Report) Detail(format string, args ...any) { r.line("       ", format, args) }

// Warn prints a warning or a failure: " !     no lockfile".
func (r *Report) Warn(format string, args ...any) { r.line(" !     ", format, args) }

// Done prints a result: "=====> v4 is live at …".
func (r *Report) Done(format string, args ...any) { r.line("=====> ", format, args) }

// Lap ends a phase: the time since the last Lap belongs to name. If a name comes again, its times are added up.
func (r *Report) Lap(name string) {
	p := r.lap(name)
	if r.ended != nil {
		r.ended(p)
	}
}

func (r *Report) lap(name string) core.Phase {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := core.Phase{Name: name, From: r.last, To: time.Now()}
	took := p.To.Sub(p.From)
	r.last = p.To
	for i := range r.steps {
		if r.steps[i].Name == name {
			r.steps[i].Took += took
			return p
		}
	}
	r.steps = append(r.steps, core.Step{Name: name, Took: took})
	return p
}

// OnPhase makes every later call of Lap tell. It must be called before the first Lap.
func (r *Report) OnPhase(ended func(p core.Phase)) { r.ended = ended }

// OnMoment makes every later call of At call tell. It must be called before the first At.
func (r *Report) OnMoment(tell func(m core.Moment)) { r.tell = tell }

// At tells of a moment of the work that the report is about. It prints nothing.
func (r *Report) At(m core.Moment) {
	if r.tell != nil {
		r.tell(m)
	}
}

// Since moves the start of the first phase to t.
func (r *Report) Since(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.IsZero() {
		r.last = t
	}
}

// Keep copies the lines from here on to w too, until EndKeep or TakeKept. Text that is passed on by Pass is not copied.
func (r *Report) Keep(w io.WriteCloser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = w
}

func (r *Report) EndKeep() {
	if w := r.TakeKept(); w != nil {
		w.Close() // see the type's comment
	}
}

// TakeKept ends Keep without closing the writer, and returns it: the caller must close it. It returns nil if there is
// none.
func (r *Report) TakeKept() io.WriteCloser {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.kept
	r.kept = nil
	return w
}

// Steps returns the phases so far, in order of their first Lap.
func (r *Report) Steps() []core.Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]core.Step(nil), r.steps...)
}

// Pass writes text that is in this form already.
func (r *Report) Pass(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	io.WriteString(r.w, text) //nolint:errcheck // see the type's comment
}

// Relay writes text that another Report has made, and copies it as if it were its own.
func (r *Report) Relay(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(text)
}

func (r *Report) line(prefix, format string, args []any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	var b strings.Builder
	for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		b.WriteString(prefix + Printable(l) + "\n")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.write(b.String())
}

// write writes text to all readers. The caller holds mu.
func (r *Report) write(text string) {
	io.WriteString(r.w, text) //nolint:errcheck // see the type's comment
	if r.kept != nil {
		io.WriteString(r.kept, text) //nolint:errcheck // see the type's comment
	}
}

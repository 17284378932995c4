package deploy

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Report writes what a deployment does to the pusher, in Heroku's form, and
// keeps the time of each phase. Its methods are safe for concurrent use and
// never fail: a pusher who is gone must not stop a deployment.
type Report struct {
	mu    sync.Mutex
	w     io.Writer
	kept  io.WriteCloser // gets the same text; may be nil
	last  time.Time
	steps []Step
	note  func(step string) // told of each Step; may be nil
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
	if r.note != nil {
		r.note(fmt.Sprintf(format, args...))
	}
	r.line("-----> ", format, args)
}

// Detail prints below the current step. A text of several lines is indented
// as a whole.
func (r *Report) Detail(format string, args ...any) { r.line("       ", format, args) }

// Warn prints a warning or a failure: " !     no lockfile".
func (r *Report) Warn(format string, args ...any) { r.line(" !     ", format, args) }

// Done prints a result: "=====> v4 is live at …".
func (r *Report) Done(format string, args ...any) { r.line("=====> ", format, args) }

// Lap ends a phase: the time since the last Lap belongs to name. A name that
// comes again is added up.
func (r *Report) Lap(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	took := now.Sub(r.last)
	r.last = now
	for i := range r.steps {
		if r.steps[i].Name == name {
			r.steps[i].Took += took
			return
		}
	}
	r.steps = append(r.steps, Step{name, took})
}

// since moves the start of the first phase to t.
func (r *Report) since(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.IsZero() {
		r.last = t
	}
}

// keep has w get everything from here on too, until endKeep.
func (r *Report) keep(w io.WriteCloser) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = w
}

func (r *Report) endKeep() {
	if w := r.takeKept(); w != nil {
		w.Close() //nolint:errcheck // see the type's comment
	}
}

// takeKept ends keep and leaves it to the caller to close what was written
// to; nil when nothing was.
func (r *Report) takeKept() io.WriteCloser {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.kept
	r.kept = nil
	return w
}

// Steps returns the phases so far, in order of their first Lap.
func (r *Report) Steps() []Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Step(nil), r.steps...)
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
	io.WriteString(r.w, b.String()) //nolint:errcheck // see the type's comment
	if r.kept != nil {
		io.WriteString(r.kept, b.String()) //nolint:errcheck // see the type's comment
	}
}

// Printable drops control characters, escape sequences included: lines come
// from npm, from build scripts and from guests, and end in somebody's
// terminal.
func Printable(s string) string {
	s = stripCSI(s)
	return strings.Map(func(c rune) rune {
		if c == '\t' || (unicode.IsPrint(c) && c != unicode.ReplacementChar) {
			return c
		}
		return -1
	}, s)
}

// stripCSI removes "ESC [ … letter" as a whole, so that colours do not leave
// "[32m" behind.
func stripCSI(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+2:]
		end := strings.IndexFunc(s, func(c rune) bool { return c >= '@' && c <= '~' })
		if end < 0 {
			return b.String()
		}
		s = s[end+1:]
	}
}

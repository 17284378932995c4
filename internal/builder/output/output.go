// Package output passes on what the commands of a build print.
//
// It owns how their lines are made safe for the pusher, and that values of config are masked in them. It does not
// own the commands.
package output

import (
	"bytes"
	"strings"
	"sync"

	"github.com/nodeos-dev/gitd/internal/progress"
)

const (
	tailLines = 30
	lineLimit = 4 << 10 // bytes
)

// notOffline is what yarn 1 says wherever there is no network but a proxy. It is not true, and who reads it looks for
// the fault in the wrong place.
const notOffline = "warning You don't appear to have an internet connection. " +
	"Try the --offline flag to use the cache for registry queries."

// Output passes what a command prints on to the pusher, line by line as it comes, and keeps the end of it.
type Output struct {
	Quiet bool // lines are kept only

	r    *progress.Report
	mask mask

	mu   sync.Mutex
	part []byte
	last []string
}

// New is for one command. The values of vars are masked.
func New(r *progress.Report, vars map[string]string) *Output {
	return &Output{r: r, mask: newMask(vars)}
}

// Write is io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		o.keep(b[:i])
		o.line()
		b = b[i+1:]
	}
	o.keep(b)
	return n, nil
}

// keep adds to the unfinished line. What is beyond the limit is lost: such
// lines are minified code, not messages.
func (o *Output) keep(b []byte) {
	o.part = append(o.part, b[:min(len(b), lineLimit-len(o.part))]...)
}

// line sends the unfinished line. If carriage returns drew it several times, only the last state is sent.
func (o *Output) line() {
	text, cut := strings.TrimRight(string(o.part), "\r \t"), len(o.part) == lineLimit
	o.part = o.part[:0]
	text = progress.Printable(text[strings.LastIndexByte(text, '\r')+1:])
	if cut {
		text = o.mask.cut(text)
	}
	text = o.mask.line(text)
	if text == "" {
		return
	}
	if text == notOffline {
		return
	}
	o.last = append(o.last, text)
	if len(o.last) > tailLines {
		o.last = o.last[1:]
	}
	if !o.Quiet {
		o.r.Detail("%s", text)
	}
}

// Flush sends a last line that has no end.
func (o *Output) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.line()
}

// Tail is the last lines.
func (o *Output) Tail() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.last...)
}

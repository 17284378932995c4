package builder

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

// output passes what a command prints on to the pusher, line by line as it
// comes, and keeps the end of it.
type output struct {
	r     *progress.Report
	mask  mask
	quiet bool // lines are kept only

	mu   sync.Mutex
	part []byte
	last []string
}

func newOutput(r *progress.Report, m mask) *output { return &output{r: r, mask: m} }

func (o *output) Write(b []byte) (int, error) {
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
func (o *output) keep(b []byte) {
	o.part = append(o.part, b[:min(len(b), lineLimit-len(o.part))]...)
}

// line sends the unfinished line. If carriage returns drew it several times, only the last state is sent.
func (o *output) line() {
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
	if !o.quiet {
		o.r.Detail("%s", text)
	}
}

// flush sends a last line that has no end.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.line()
}

func (o *output) tail() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.last...)
}

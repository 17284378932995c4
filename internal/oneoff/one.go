package oneoff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// errNotBooted says that a machine ended before its command has run.
var errNotBooted = errors.New("the machine ended before the command's turn")

// one is the view of one machine: it receives the machine's events.
type one struct {
	m       *Machines
	app     string // guarded by m.mu
	job     Job
	cancel  context.CancelCauseFunc
	begun   time.Time
	removed chan struct{} // closed when nothing is left of it

	id     string        // guarded by m.mu; it changes while nothing else looks
	memory int           // MiB
	booted chan struct{} // closed by EventBooted
	over   chan struct{} // closed when the command has ended, or can be waited for no longer
	gone   chan struct{} // closed by EventGone
	pipes  *pipes        // nil: its output is lines

	mu     sync.Mutex
	exit   *core.Event // EventExited; nil: it has not come
	reason string      // why over is closed, if not because of exit
	last   string      // line that was said
}

// begin makes ready for the events of another machine.
func (o *one) begin(spec core.MachineSpec) {
	o.m.mu.Lock()
	o.id = spec.ID
	o.m.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.memory, o.reason = spec.MemoryMiB, ""
	o.booted, o.over, o.gone = make(chan struct{}), make(chan struct{}), make(chan struct{})
	if o.job.Streams != nil {
		o.pipes = newPipes()
	}
}

// watch is the core.Watch: it only notes and forwards.
func (o *one) watch(e core.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e.Kind {
	case core.EventBooted:
		latch.Close(o.booted)
	case core.EventLog:
		o.say(e)
	case core.EventOutput:
		if o.pipes == nil || !o.pipes.put(chunk{e.Stream, e.Data}) {
			o.finish("its machine sends more than it may")
		}
	case core.EventRoom:
		if o.pipes != nil {
			o.pipes.grant(e.Bytes)
		}
	case core.EventExited:
		if o.exit == nil {
			o.exit = &e
		}
		latch.Close(o.booted)
		o.finish("")
	case core.EventHung:
		o.finish("its machine does not answer: " + e.Detail)
	case core.EventGone:
		o.finish("its machine has ended: " + e.Detail)
		latch.Close(o.gone)
	}
}

// finish notes the first reason only.
func (o *one) finish(reason string) {
	if !latch.Closed(o.over) {
		o.reason = progress.Printable(reason)
	}
	latch.Close(o.over)
	if o.pipes != nil {
		o.pipes.close()
	}
}

// say notes a line. The caller holds mu.
func (o *one) say(e core.Event) {
	text := progress.Printable(e.Line)
	if e.Stream == "stdout" || e.Stream == "stderr" {
		o.last = text
	}
	at := e.Time
	if at.IsZero() {
		at = time.Now()
	}
	r := o.job.Release
	o.m.cfg.Output.Append(r.App, core.Line{
		Time: at, Release: r.Version, Process: cmp.Or(o.job.Title, o.job.Name+".1"), Machine: o.id, Stream: e.Stream, Text: text,
	})
	if o.job.Line != nil && e.Stream != "init" {
		o.job.Line(text)
	}
}

func (o *one) why() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reason
}

// ending is how the command of a machine ended that is over.
func (o *one) ending() (Ended, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.exit == nil && !latch.Closed(o.booted):
		return Ended{}, fmt.Errorf("%w: %s", errNotBooted, o.reason)
	case o.exit == nil:
		return Ended{}, core.Reject(o.job.Command+": "+o.reason, "")
	}
	e := Ended{Code: exitCode(*o.exit), Reason: progress.Printable(o.exit.Detail), Last: o.last, Took: time.Since(o.begun)}
	if o.exit.OutOfMemory {
		e.Memory = o.memory
	}
	return e, nil
}

// signals are those that end processes, as Linux counts them.
var signals = map[string]int{
	"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8,
	"SIGKILL": 9, "SIGUSR1": 10, "SIGSEGV": 11, "SIGUSR2": 12, "SIGPIPE": 13, "SIGALRM": 14, "SIGTERM": 15, "SIGSYS": 31,
}

// exitCode is what a shell would show. A guest may say anything.
func exitCode(e core.Event) int {
	if n, ok := signals[e.Signal]; ok {
		return 128 + n
	}
	if e.Code < 0 || e.Code > 255 {
		return 255
	}
	return e.Code
}

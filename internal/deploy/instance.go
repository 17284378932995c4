package deploy

import (
	"sync"
	"time"
)

// tailLines is how much of a machine's output is kept for a failure report.
const tailLines = 30

// instance is the core's view of one machine: where its events arrive, and
// the last lines it said.
type instance struct {
	release Release
	out     Output

	booted    chan struct{} // closed by EventBooted, or by the first EventListening
	listening chan struct{} // closed by the first EventListening
	ended     chan struct{} // closed by EventGone, or by an exit before listening

	mu      sync.Mutex
	machine Machine
	tail    []string
	why     string // why it ended
	boot    string // the guest's own account of its boot
	over    bool   // EventGone has come
	gone    func(reason string)
}

// newInstance makes an instance for one machine of r.
func newInstance(r Release, out Output) *instance {
	return &instance{
		release: r, out: out,
		booted: make(chan struct{}), listening: make(chan struct{}), ended: make(chan struct{}),
	}
}

// watch is the instance's Watch: it only notes and forwards.
func (i *instance) watch(e Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch e.Kind {
	case EventBooted:
		i.boot = e.Detail
		closeOnce(i.booted)
	case EventListening:
		closeOnce(i.booted)
		closeOnce(i.listening)
	case EventExited:
		i.say(e, "the app ended: "+e.Detail)
		if !isClosed(i.listening) {
			i.end(e.Detail)
		}
	case EventLog:
		i.say(e, e.Line)
	case EventGone:
		i.end(e.Detail)
		i.over = true
		if i.gone != nil {
			go i.gone(i.why)
		}
	}
}

// end notes the first reason: an exit says more than the power-off after it.
func (i *instance) end(why string) {
	if i.why == "" {
		i.why = why
	}
	closeOnce(i.ended)
}

func (i *instance) say(e Event, text string) {
	stream := e.Stream
	if stream == "" {
		stream = "nodeos"
	}
	text = Printable(text)
	if len(i.tail) == tailLines {
		i.tail = append(i.tail[:0], i.tail[1:]...)
	}
	i.tail = append(i.tail, text)
	at := e.Time
	if at.IsZero() {
		at = time.Now()
	}
	i.out.Append(i.release.App, Line{Time: at, Release: i.release.Version, Machine: i.machine.ID, Stream: stream, Text: text})
}

func (i *instance) lastLines() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.tail...)
}

func (i *instance) reason() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.why
}

func (i *instance) bootDetail() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.boot
}

// named tells the instance which machine it is.
func (i *instance) named(m Machine) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.machine = m
}

// onGone has f called once, in a goroutine of its own, when the machine has
// ended; at once if it has ended already.
func (i *instance) onGone(f func(reason string)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.gone = f
	if i.over {
		go f(i.why)
	}
}

func (i *instance) copyMachine() Machine {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.machine
}

func (i *instance) id() string   { return i.copyMachine().ID }
func (i *instance) addr() string { return i.copyMachine().Addr }

func closeOnce(c chan struct{}) {
	if !isClosed(c) {
		close(c)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

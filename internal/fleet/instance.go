package fleet

import (
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/thrash"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	// tailLines is how many lines of a machine's output are kept for a failure report.
	tailLines = 30
	// loopExits is how many ends of the app in succession are a crash loop. An app that has run for longer than settled
	// begins a new count.
	loopExits = 3
	// The first maxTold ends of an app are all reported, and then at most one each tellEvery: no guest can have the
	// ledger written faster than its own init would start the app again.
	maxTold   = 10
	tellEvery = time.Second
	// silent is for how long a machine that gets on sends no figures, at the most.
	silent = 5 * guest.StatsPeriod / 2
)

// Instance is the fleet's view of one machine: it receives the machine's events and keeps its last lines.
type Instance struct {
	release core.Release // as it was at the boot; the app may be renamed since
	process core.ProcessID
	out     Output

	booted    chan struct{} // closed by EventBooted, or by the first EventListening
	listening chan struct{} // closed by the first EventListening
	misplaced chan struct{} // closed by EventMisplaced before listening
	ended     chan struct{} // closed by EventGone or EventHung; before proven, also by an exit or thrashing

	mu      sync.Mutex
	app     string
	machine core.Machine
	memory  int // MiB that the machine has; 0: not known
	tail    []said
	why     string    // why it ended
	exited  bool      // why is the end of the app's process
	lacks   lack      // what the candidate had too little of, if that is why
	proven  bool      // it has been healthy, so that init may start its app again
	where   string    // the address at which the app listens in vain
	led     string    // the address at which it listens and is served, if that is not its port
	boot    string    // the guest's own account of its boot
	over    bool      // EventGone or EventHung has come
	unseen  string    // why it is not known whether the machine runs; empty: it is
	up      time.Time // since when the app listens; zero: it does not
	inRow   int       // ends of the app in succession
	crashes int       // ends of the app in all
	told    time.Time // when an end was last reported
	advised bool      // what to do about a read-only file system was said
	stats   *core.Stats
	thrash  thrash.Meter
	heard   time.Time // when the latest figures came, or the boot ended
	times   *core.BootTimes
	hooks   hooks
}

// hooks are called when a machine that serves has news, each call in a goroutine of its own.
type hooks struct {
	gone    func(reason string)              // once
	crashed func(how string, succession int) // the app ended, and the guest starts it again
}

// newInstance makes an Instance for one machine of r.
func newInstance(r core.Release, process core.ProcessID, out Output) *Instance {
	return &Instance{
		release: r, process: process, out: out, app: r.App,
		booted: make(chan struct{}), listening: make(chan struct{}), misplaced: make(chan struct{}), ended: make(chan struct{}),
	}
}

// watch is the instance's core.Watch: it only notes and forwards.
func (i *Instance) watch(e core.Event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e.Boot != nil {
		i.times = e.Boot
	}
	switch e.Kind {
	case core.EventBooted:
		i.boot, i.heard = e.Detail, time.Now()
		latch.Close(i.booted)
	case core.EventListening:
		if i.up.IsZero() {
			i.up = time.Now()
		}
		i.led = e.Detail
		latch.Close(i.booted)
		latch.Close(i.listening)
	case core.EventMisplaced:
		if !latch.Closed(i.misplaced) {
			i.where = progress.Printable(e.Detail)
		}
		latch.Close(i.misplaced)
	case core.EventExited:
		i.exits(e)
	case core.EventLog:
		i.say(e, e.Line)
	case core.EventStats:
		i.stats = e.Stats
		if e.Stats != nil {
			i.heard = time.Now()
			i.measure(e)
		}
	case core.EventUnseen:
		i.unseen = progress.Printable(e.Detail)
	case core.EventSeen:
		i.unseen = ""
	case core.EventHung:
		i.say(e, "the machine does not answer: "+e.Detail)
		if i.why == "" && !i.proven {
			i.lacks = ofTurns
		}
		i.finish("it does not answer: " + e.Detail)
	case core.EventGone:
		i.finish(e.Detail)
	}
}

// measure ends a candidate that has too little memory.
func (i *Instance) measure(e core.Event) {
	if i.proven || i.why != "" || !i.thrash.Note(*e.Stats) {
		return
	}
	i.say(e, "the app does not get on: "+i.thrash.String())
	i.lacks = ofMemory
	i.end(i.thrash.String())
}

// tight reports whether a candidate that is late has next to no memory left, or sends no figures any more, and ends it
// for that reason.
func (i *Instance) tight() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	silence := time.Since(i.heard)
	switch {
	case i.why != "":
		return false
	case i.thrash.Tight():
		i.lacks = ofMemory
		i.end(i.thrash.String())
	case !i.heard.IsZero() && silence > silent:
		i.lacks = ofTurns
		i.end("it does not get on: its machine has said nothing of itself for " + units.Took(silence))
	default:
		return false
	}
	return true
}

// exits notes the end of the app's process. A candidate is not waited for any longer, even if it has listened;
// otherwise the guest starts the app again.
func (i *Instance) exits(e core.Event) {
	lacks := saysLack(i.tail)
	if e.OutOfMemory {
		lacks = ofMemory
	}
	i.say(e, "the app ended: "+e.Detail)
	if !i.proven {
		latch.Close(i.booted)
		if i.why == "" {
			i.exited, i.lacks = true, lacks
		}
		i.end(e.Detail)
		return
	}
	if lacks != ofNothing && i.memory > 0 {
		i.say(e, core.MemoryCommand(i.app, i.memory)+" gives it more memory")
	}
	if !i.up.IsZero() && time.Since(i.up) > settled {
		i.inRow = 0
	}
	i.inRow++
	i.crashes++
	i.up = time.Time{}
	if i.hooks.crashed != nil && (i.crashes <= maxTold || time.Since(i.told) > tellEvery) {
		i.told = time.Now()
		go i.hooks.crashed(e.Detail, i.inRow)
	}
}

// prove notes that the candidate was healthy: from now on an end of its app is a crash of a release, and no failure to
// start. It reports false if the app has ended before.
func (i *Instance) prove() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.proven = !latch.Closed(i.ended)
	if i.up.IsZero() { // a worker need not listen
		i.up = time.Now()
	}
	return i.proven
}

// finish ends the machine for good.
func (i *Instance) finish(why string) {
	if i.why == "" && !i.proven && strings.Contains(why, deadlocked) {
		i.lacks = ofMemory
	}
	i.end(why)
	if i.over {
		return
	}
	i.over = true
	if i.hooks.gone != nil {
		go i.hooks.gone(i.why)
	}
}

// end notes the first reason only: an exit says more than the power-off that follows it.
func (i *Instance) end(why string) {
	if i.why == "" {
		i.why = why
	}
	latch.Close(i.ended)
}

func (i *Instance) say(e core.Event, text string) {
	stream := e.Stream
	if stream == "" {
		stream = "nodeos"
	}
	text = progress.Printable(text)
	if len(i.tail) == tailLines {
		i.tail = append(i.tail[:0], i.tail[1:]...)
	}
	i.tail = append(i.tail, said{stream, text})
	at := e.Time
	if at.IsZero() {
		at = time.Now()
	}
	process := ""
	if i.process != core.FirstWeb {
		process = i.process.String()
	}
	i.out.Append(i.app, core.Line{Time: at, Release: i.release.Version, Process: process, Machine: i.machine.ID, Stream: stream, Text: text})
	if advice := readOnlyAdvice(i.app, text); advice != "" && !i.advised {
		i.advised = true
		i.say(core.Event{Time: at}, advice)
	}
}

func (i *Instance) lastLines() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return texts(i.tail)
}

func texts(tail []said) []string {
	all := make([]string, 0, len(tail))
	for _, l := range tail {
		all = append(all, l.text)
	}
	return all
}

// cause is why the machine has ended, and what it had too little of. Of no machine both are empty.
func (i *Instance) cause() (why string, lacks lack) {
	if i == nil {
		return "", ofNothing
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.why, i.lacks
}

// startDetail says how long the start took after the kernel ran, as far as that is known.
func (i *Instance) startDetail() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.times == nil {
		return ""
	}
	return core.BootTimes{Init: i.times.Init, Node: i.times.Node, App: i.times.App}.String()
}

func (i *Instance) bootDetail() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.boot
}

// named tells the instance which machine it is.
func (i *Instance) named(m core.Machine) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.machine = m
}

// adopted tells the instance that it is m, whose app has listened before.
func (i *Instance) adopted(m core.Machine) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.machine = m
	i.proven = true
	if i.inRow == 0 && i.up.IsZero() {
		i.up = m.Started
	}
	latch.Close(i.booted)
	latch.Close(i.listening)
}

// renamed tells the instance its app's new name.
func (i *Instance) renamed(app string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.app, i.machine.App = app, app
}

// on installs h. If the machine has ended already, gone is called at once.
func (i *Instance) on(h hooks) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.hooks = h
	if i.over && h.gone != nil {
		go h.gone(i.why)
	}
}

// Machine returns the machine as it is known now.
func (i *Instance) Machine() core.Machine {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.machine
}

// ID returns the machine's ID.
func (i *Instance) ID() string { return i.Machine().ID }

// Addr returns the host:port at which the host reaches the app.
func (i *Instance) Addr() string { return i.Machine().Addr }

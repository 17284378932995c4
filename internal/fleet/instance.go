package fleet

import (
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/progress"
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
)

// Instance is the fleet's view of one machine: it receives the machine's events and keeps its last lines.
type Instance struct {
	release core.Release // as it was at the boot; the app may be renamed since
	out     Output

	booted    chan struct{} // closed by EventBooted, or by the first EventListening
	listening chan struct{} // closed by the first EventListening
	misplaced chan struct{} // closed by EventMisplaced before listening
	ended     chan struct{} // closed by EventGone, EventHung, or an exit before listening

	mu      sync.Mutex
	app     string
	machine core.Machine
	tail    []string
	why     string    // why it ended
	where   string    // the address at which the app listens in vain
	boot    string    // the guest's own account of its boot
	over    bool      // EventGone or EventHung has come
	unseen  string    // why it is not known whether the machine runs; empty: it is
	up      time.Time // since when the app listens; zero: it does not
	exits   int       // ends of the app in succession
	crashes int       // ends of the app in all
	told    time.Time // when an end was last reported
	stats   *core.Stats
	times   *core.BootTimes
	hooks   hooks
}

// hooks are called when a machine that serves has news, each call in a goroutine of its own.
type hooks struct {
	gone    func(reason string)              // once
	crashed func(how string, succession int) // the app ended, and the guest starts it again
}

// newInstance makes an Instance for one machine of r.
func newInstance(r core.Release, out Output) *Instance {
	return &Instance{
		release: r, out: out, app: r.App,
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
		i.boot = e.Detail
		latch.Close(i.booted)
	case core.EventListening:
		if i.up.IsZero() {
			i.up = time.Now()
		}
		latch.Close(i.booted)
		latch.Close(i.listening)
	case core.EventMisplaced:
		if !latch.Closed(i.misplaced) {
			i.where = progress.Printable(e.Detail)
		}
		latch.Close(i.misplaced)
	case core.EventExited:
		i.exited(e)
	case core.EventLog:
		i.say(e, e.Line)
	case core.EventStats:
		i.stats = e.Stats
	case core.EventUnseen:
		i.unseen = progress.Printable(e.Detail)
	case core.EventSeen:
		i.unseen = ""
	case core.EventHung:
		i.say(e, "the machine does not answer: "+e.Detail)
		i.finish("it does not answer: " + e.Detail)
	case core.EventGone:
		i.finish(e.Detail)
	}
}

// exited notes the end of the app's process. If the app has never listened, that is the end of the machine too;
// otherwise the guest starts the app again.
func (i *Instance) exited(e core.Event) {
	i.say(e, "the app ended: "+e.Detail)
	if !latch.Closed(i.listening) {
		i.end(e.Detail)
		return
	}
	if !i.up.IsZero() && time.Since(i.up) > settled {
		i.exits = 0
	}
	i.exits++
	i.crashes++
	i.up = time.Time{}
	if i.hooks.crashed != nil && (i.crashes <= maxTold || time.Since(i.told) > tellEvery) {
		i.told = time.Now()
		go i.hooks.crashed(e.Detail, i.exits)
	}
}

// finish ends the machine for good.
func (i *Instance) finish(why string) {
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
	i.tail = append(i.tail, text)
	at := e.Time
	if at.IsZero() {
		at = time.Now()
	}
	i.out.Append(i.app, core.Line{Time: at, Release: i.release.Version, Machine: i.machine.ID, Stream: stream, Text: text})
}

func (i *Instance) lastLines() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.tail...)
}

func (i *Instance) reason() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.why
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
	if i.exits == 0 && i.up.IsZero() {
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

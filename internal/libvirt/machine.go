package libvirt

import (
	"errors"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/libvirt/console"
	"github.com/nodeos-dev/gitd/internal/libvirt/freezer"
	"github.com/nodeos-dev/gitd/internal/libvirt/phases"
	"github.com/nodeos-dev/gitd/internal/libvirt/pulse"
	"github.com/nodeos-dev/gitd/internal/libvirt/throttle"
)

// machine is one machine with a watch. One goroutine, follow, reads its channel and calls the watch. While the watch
// runs, nothing is read, and the guest keeps its messages.
type machine struct {
	id      string
	watch   core.Watch
	console console.Log
	log     zerolog.Logger
	since   time.Time
	running time.Time // when the machine's processor began to run; zero: it was adopted
	paused  func() bool
	pulse   pulse.Pulse
	acks    acks
	freezer *freezer.Freezer

	load     func(*libvirt.Domain) error // gives a machine that does not boot its state; nil: it boots
	start    *guest.Start                // the message that the guest needs before all else; nil: it has it
	begun    bool                        // start was sent on this channel
	booted   bool                        // the guest has said that it has booted
	greeting bool                        // it was found running, and the guest has not answered yet
	unseen   bool                        // libvirt is away, and the watch was told
	boot     phases.Clock
	failed   string // what its init said before it gave up

	powered chan struct{} // closed when the guest has powered off, or is gone
	gone    chan struct{} // closed when the machine is gone
	left    chan struct{} // closed when the machine is let go of: its watch is not called again

	finished sync.Once // the end is reported once

	// telling is held while a message is handled and while the watch is called, so that there is one call at a time. It
	// is taken before mu.
	telling sync.Mutex

	mu   sync.Mutex // guards what follows, and the closing of powered, gone and left
	how  ending
	conn io.ReadWriteCloser // the control channel; nil until the machine runs, and while libvirt is away
	out  *outgoing          // what waits to be written to conn
	cut  chan struct{}      // closed when this side has given conn up; nil: the machine has not run yet
}

func newMachine(id string, w core.Watch, console console.Log, log zerolog.Logger) *machine {
	m := &machine{
		id: id, watch: w, console: console, log: log.With().Str("machine", id).Logger(), since: time.Now(),
		powered: make(chan struct{}), gone: make(chan struct{}), left: make(chan struct{}),
		out: &outgoing{}, freezer: freezer.New(),
	}
	m.acks.wake = make(chan struct{}, 1)
	return m
}

// connect gives m its channel, and starts to follow and to acknowledge.
func (m *machine) connect(c io.ReadWriteCloser, forget func(*machine)) {
	cut := make(chan struct{})
	m.mu.Lock()
	m.conn, m.out, m.cut = c, &outgoing{}, cut
	m.mu.Unlock()
	go m.follow(c, cut, forget)
	go m.acknowledge(cut)
	go m.console.Bound(m.log, [3]<-chan struct{}{cut, m.gone, m.left})
}

// write sends a message to the guest, and waits until the guest takes it. If the guest does not read, write waits until
// the channel is closed.
func (m *machine) write(msg guest.Message) error { return writeTo(m.channel(), msg) }

// send is write for callers that must not wait. What does not go out on the channel of now does not on a later one.
// Of each kind, only the newest waits.
func (m *machine) send(msg guest.Message) {
	m.mu.Lock()
	c, out := m.conn, m.out
	m.mu.Unlock()
	if c == nil || !out.put(msg) {
		return
	}
	go func() {
		for msg, ok := out.take(); ok; msg, ok = out.take() {
			if err := writeTo(c, msg); err != nil && !errors.Is(err, errChannelClosed) {
				m.log.Warn().Err(err).Str("kind", string(msg.Kind)).Msg("a message did not reach the guest")
			}
		}
	}()
}

// channel is the control channel of now, or nil.
func (m *machine) channel() io.Writer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil {
		return nil
	}
	return m.conn
}

func writeTo(c io.Writer, msg guest.Message) error {
	if c == nil {
		return errChannelClosed
	}
	b, err := guest.Encode(msg)
	if err != nil {
		return err
	}
	// The process before may have ended in the middle of a message. An empty line ends what it began, so that this
	// message is not read as a part of that.
	_, err = c.Write(append([]byte("\n"), b...))
	return err
}

// follow turns the guest's messages into events until the machine is gone or let go of, or its channel is given up.
func (m *machine) follow(c io.ReadWriteCloser, cut <-chan struct{}, forget func(*machine)) {
	r := guest.NewReader(throttle.New(c, m.left, m.gone))
	for {
		msg, err := r.Read()
		if err != nil {
			m.log.Debug().Err(err).Int("skipped_lines", r.Skipped).Msg("control channel ended")
			break
		}
		m.handle(msg, cut)
	}
	c.Close() // the machine is gone, or this side closed it
	select {
	case <-m.left:
	case <-cut: // whoever gave the channel up looks after the machine
	case <-m.gone:
		m.finish(forget)
	}
}

// finish reports that a machine is gone, and forgets it.
func (m *machine) finish(forget func(*machine)) {
	m.finished.Do(func() {
		m.pulse.Stop()
		forget(m)
		m.sayGone()
	})
}

// handle handles a message, unless the machine was let go of or its channel given up. The guest sends later messages
// again, to the next process or on the next channel.
func (m *machine) handle(msg guest.Message, cut <-chan struct{}) {
	m.telling.Lock()
	defer m.telling.Unlock()
	if !latch.Closed(m.left) && !latch.Closed(cut) {
		m.pulse.Felt()
		m.message(msg)
	}
}

// sayGone reports that the machine is gone. If that was abnormal, or if the guest never booted, the last lines of the
// console are reported before.
func (m *machine) sayGone() {
	m.telling.Lock()
	defer m.telling.Unlock()
	m.mu.Lock()
	how := m.how
	m.mu.Unlock()
	lines := m.console.Tail()
	detail, abnormal := how.explain(m.failed, lines)
	if abnormal || !m.booted {
		for _, l := range lines {
			m.event(core.Event{Kind: core.EventLog, Stream: "console", Line: l})
		}
	}
	m.event(core.Event{Kind: core.EventGone, Detail: detail})
}

// event calls the watch. The caller holds telling.
func (m *machine) event(e core.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Line, e.Detail = cut(e.Line), cut(e.Detail)
	m.watch(e)
}

// tell is event for callers that do not hold telling.
func (m *machine) tell(e core.Event) {
	m.telling.Lock()
	defer m.telling.Unlock()
	if !latch.Closed(m.left) && !latch.Closed(m.gone) {
		m.event(e)
	}
}

// cut limits the length of a line.
func cut(s string) string { return s[:min(len(s), guest.MaxLine)] }

// powerOff notes that the guest has powered off.
func (m *machine) powerOff() {
	m.mu.Lock()
	defer m.mu.Unlock()
	latch.Close(m.powered)
}

// end notes that the machine is gone, and how. What the guest said before is still in the channel. Libvirt closes the
// channel after that; if it does not, drainLimit ends the reading.
func (m *machine) end(how ending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if latch.Closed(m.gone) {
		return
	}
	m.how = how
	latch.Close(m.powered)
	latch.Close(m.gone)
	if c := m.conn; c != nil {
		time.AfterFunc(drainLimit, func() { c.Close() }) // the machine is gone
	}
}

// leave stops watching a machine, which goes on.
func (m *machine) leave() {
	m.mu.Lock()
	latch.Close(m.left)
	c := m.conn
	m.mu.Unlock()
	m.pulse.Stop()
	if c == nil {
		return
	}
	m.lastAck()
	shut(c, m.log)
}

// shut closes a channel.
func shut(c io.Closer, log zerolog.Logger) {
	if err := c.Close(); err != nil {
		log.Debug().Err(err).Msg("close control channel")
	}
}

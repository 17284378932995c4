package libvirt

import (
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"gitd/internal/deploy"
	"gitd/internal/guest"
)

// machine is one machine with a watch. One goroutine, follow, reads its
// channel and calls the watch: while the watch runs nothing is read, and the
// guest keeps what it has to say.
type machine struct {
	id      string
	watch   deploy.Watch
	console string // path of its console's log
	log     zerolog.Logger
	since   time.Time

	start  *guest.Start // what the guest still waits for
	booted bool         // the guest has said so
	failed string       // what its init said before it gave up

	powered chan struct{} // closed when the guest has powered off, or is gone
	gone    chan struct{} // closed when the machine is gone
	left    chan struct{} // closed when nobody wants to know any more

	mu      sync.Mutex // guards what follows, and the closing of the three above
	how     ending
	channel *channel // nil until the machine runs
}

func newMachine(id string, w deploy.Watch, console string, log zerolog.Logger) *machine {
	return &machine{
		id: id, watch: w, console: console, log: log.With().Str("machine", id).Logger(), since: time.Now(),
		powered: make(chan struct{}), gone: make(chan struct{}), left: make(chan struct{}),
	}
}

// connect gives m its channel; follow starts.
func (m *machine) connect(c *channel, forget func(*machine)) {
	m.mu.Lock()
	m.channel = c
	m.mu.Unlock()
	go m.follow(c, forget)
}

// write sends a message to the guest, and waits until it can.
func (m *machine) write(msg guest.Message) error {
	b, err := guest.Encode(msg)
	if err != nil {
		return err
	}
	m.mu.Lock()
	c := m.channel
	m.mu.Unlock()
	if c == nil {
		return errChannelClosed
	}
	// The process before may have ended in the middle of a message: an empty
	// line keeps what it began from swallowing this one.
	_, err = c.Write(append([]byte("\n"), b...))
	return err
}

// follow turns the guest's messages into events until the machine is gone or
// let go of.
func (m *machine) follow(c *channel, forget func(*machine)) {
	r := guest.NewReader(c)
	for {
		msg, err := r.Read()
		if err != nil {
			m.log.Debug().Err(err).Int("skipped_lines", r.Skipped).Msg("control channel ended")
			break
		}
		m.message(msg)
	}
	c.Close() //nolint:errcheck // the machine is gone, or this side closed it
	select {
	case <-m.left:
		return
	case <-m.gone:
	}
	forget(m)
	m.sayGone()
}

// sayGone sends the last events.
func (m *machine) sayGone() {
	m.mu.Lock()
	how := m.how
	m.mu.Unlock()
	lines := consoleTail(m.console)
	detail, abnormal := how.explain(m.failed, lines)
	if abnormal || !m.booted {
		for _, l := range lines {
			m.event(deploy.Event{Kind: deploy.EventLog, Stream: "console", Line: l})
		}
	}
	m.event(deploy.Event{Kind: deploy.EventGone, Detail: detail})
}

func (m *machine) event(e deploy.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Line, e.Detail = cut(e.Line), cut(e.Detail)
	m.watch(e)
}

// message handles one message of the guest, all of which is hostile.
func (m *machine) message(msg guest.Message) {
	switch msg.Kind {
	case guest.KindBooted:
		m.booted = true
		m.begin()
		m.event(deploy.Event{Kind: deploy.EventBooted, Detail: bootDetail(*msg.Booted)})
	case guest.KindListening:
		m.event(deploy.Event{Kind: deploy.EventListening})
	case guest.KindExited:
		m.event(deploy.Event{Kind: deploy.EventExited, Detail: msg.Exited.Reason})
	case guest.KindLog:
		m.line(*msg.Log)
	case guest.KindFailed:
		m.failed = msg.Failed
		m.event(deploy.Event{Kind: deploy.EventLog, Stream: "init", Line: "cannot go on: " + msg.Failed})
	default:
		m.log.Debug().Str("kind", cut(string(msg.Kind))).Msg("message of an unknown kind from the guest")
	}
}

// begin hands the guest its start message, once, with the time of now.
func (m *machine) begin() {
	if m.start == nil {
		return
	}
	m.start.UnixNano = time.Now().UnixNano()
	err := m.write(guest.Message{Kind: guest.KindStart, Start: m.start})
	m.start = nil
	if err != nil {
		m.log.Error().Err(err).Msg("the start message did not reach the guest")
	}
}

func (m *machine) line(l guest.Log) {
	stream := l.Stream
	if stream != "stdout" && stream != "stderr" {
		stream = "init"
	}
	if l.Dropped > 0 {
		m.event(deploy.Event{Kind: deploy.EventLog, Stream: "init", Line: fmt.Sprintf("%d lines of output were lost: more was written than could be kept", l.Dropped)})
	}
	// The guest's clock tells when a line was written while no gitd ran; one
	// that is off is not believed.
	at := time.Unix(0, l.UnixNano)
	if now := time.Now(); at.After(now) || at.Before(m.since) {
		at = now
	}
	m.event(deploy.Event{Kind: deploy.EventLog, Time: at, Stream: stream, Line: l.Line})
}

func bootDetail(b guest.Booted) string {
	if b.KernelMillis == 0 && b.InitMillis == 0 {
		return "Linux " + b.Kernel
	}
	return fmt.Sprintf("Linux %s: kernel %d ms, init %d ms", b.Kernel, b.KernelMillis, b.InitMillis-b.KernelMillis)
}

// cut bounds a line.
func cut(s string) string { return s[:min(len(s), guest.MaxLine)] }

// powerOff notes that the guest has powered off.
func (m *machine) powerOff() {
	m.mu.Lock()
	defer m.mu.Unlock()
	closeOnce(m.powered)
}

// end notes that the machine is gone, and how. What it said before is still
// in the channel, which libvirt closes; the limit is for one that it does not.
func (m *machine) end(how ending) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if isClosed(m.gone) {
		return
	}
	m.how = how
	closeOnce(m.powered)
	closeOnce(m.gone)
	if c := m.channel; c != nil {
		time.AfterFunc(drainLimit, func() { c.Close() }) //nolint:errcheck // the machine is gone
	}
}

// leave lets go of a machine that goes on.
func (m *machine) leave() {
	m.mu.Lock()
	closeOnce(m.left)
	c := m.channel
	m.mu.Unlock()
	if c != nil {
		if err := c.Close(); err != nil {
			m.log.Debug().Err(err).Msg("close control channel")
		}
	}
}

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

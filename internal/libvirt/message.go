package libvirt

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// clockSlack is how far a guest's clock may be off before gitd sends it the time. The time that a message is on its way
// counts as an error of the clock, so clockSlack is not small.
const clockSlack = 2 * time.Second

// message handles one message from the guest. All of it is hostile.
func (m *machine) message(msg guest.Message) {
	switch msg.Kind {
	case guest.KindListening, guest.KindMisplaced, guest.KindExited:
		m.start = nil // it has begun
	}
	switch msg.Kind {
	case guest.KindBooted:
		m.hasBooted(*msg.Booted)
	case guest.KindListening:
		m.event(core.Event{Kind: core.EventListening, Detail: ledTo(msg.Listening), Boot: m.boot.Listening(msg.Listening)})
	case guest.KindMisplaced:
		if where := address(msg.Misplaced.Address); where != "" {
			m.event(core.Event{Kind: core.EventMisplaced, Detail: where})
		}
	case guest.KindExited:
		m.event(core.Event{
			Kind: core.EventExited, Detail: msg.Exited.Reason, OutOfMemory: msg.Exited.OutOfMemory,
			Code: msg.Exited.Code, Signal: cut(msg.Exited.Signal),
		})
	case guest.KindOutput:
		m.event(core.Event{Kind: core.EventOutput, Stream: streamOf(msg.Output.Stream), Data: msg.Output.Data})
	case guest.KindRoom:
		m.event(core.Event{Kind: core.EventRoom, Bytes: msg.Room.Bytes})
	case guest.KindLog:
		m.line(*msg.Log)
	case guest.KindBeat:
		// A guest's clock drifts, and it stands still while the machine is paused.
		if time.Since(time.Unix(0, msg.Beat.UnixNano)).Abs() > clockSlack {
			m.tellTime()
		}
	case guest.KindStats:
		m.event(core.Event{Kind: core.EventStats, Stats: stats(*msg.Stats)})
	case guest.KindFreeze:
		m.freezer.Answer(*msg.Freeze)
	case guest.KindFailed:
		m.failed = msg.Failed
		m.event(core.Event{Kind: core.EventLog, Stream: "init", Line: "cannot go on: " + msg.Failed})
	default:
		m.log.Debug().Str("kind", cut(string(msg.Kind))).Msg("message of an unknown kind from the guest")
	}
}

// ledTo is the address at which an app listens that does not listen on its port.
func ledTo(l *guest.Listening) string {
	if l == nil {
		return ""
	}
	return address(l.Address)
}

// address reads an address and a port that a guest sends. What is none becomes empty.
func address(text string) string {
	where, err := netip.ParseAddrPort(text)
	if err != nil {
		return ""
	}
	return netip.AddrPortFrom(where.Addr().WithZone(""), where.Port()).String()
}

// hasBooted handles the message of a guest that has booted. It comes once after a boot, and once as the answer of a
// guest that was adopted.
func (m *machine) hasBooted(b guest.Booted) {
	m.booted, m.greeting = true, false
	m.freezer.Booted(b)
	if b.BeatMillis > 0 {
		m.pulse.Start(m.hungAfter(b.BeatMillis), m.hung)
	} else {
		m.pulse.Stop() // an older guest, which sends no beats
	}
	m.begin()
	times := m.boot.Booted(b, m.since, m.running, time.Now())
	m.event(core.Event{Kind: core.EventBooted, Detail: bootDetail(b.Kernel, times), Boot: times})
}

// begin sends the guest its start message, with the present time. It does so once on each channel, until the guest has
// shown that it has the message: what was sent on a channel that was lost may have been lost too. The guest ignores a
// second one.
func (m *machine) begin() {
	if m.start == nil || m.begun {
		return
	}
	m.begun = true
	start := *m.start
	start.UnixNano = time.Now().UnixNano()
	m.send(guest.Message{Kind: guest.KindStart, Start: &start})
}

// line reports a line of output. It ignores numbered lines that come before a guest that was found running has
// answered: they were meant for the process or the channel before, and the guest sends them again. It also ignores what
// it has reported: the guest did not get the acknowledgement.
func (m *machine) line(l guest.Log) {
	if l.Seq > 0 && (m.greeting || m.acks.has(l.Seq)) {
		return
	}
	stream := streamOf(l.Stream)
	if l.Dropped > 0 {
		m.event(core.Event{Kind: core.EventLog, Stream: "init", Line: fmt.Sprintf("%d lines of output were lost: more was written than could be kept", l.Dropped)})
	}
	// The guest's clock says when a line was written, for lines from a time when no gitd ran. A clock that is off is
	// not believed.
	at := time.Unix(0, l.UnixNano)
	if now := time.Now(); at.After(now) || at.Before(m.since) {
		at = now
	}
	m.event(core.Event{Kind: core.EventLog, Time: at, Stream: stream, Line: l.Line})
	m.acks.saw(l.Seq)
}

// streamOf is the name of a stream that a guest sends.
func streamOf(name string) string {
	if name != "stdout" && name != "stderr" {
		return "init"
	}
	return name
}

func (m *machine) tellTime() {
	m.send(guest.Message{Kind: guest.KindTime, Time: &guest.Clock{UnixNano: time.Now().UnixNano()}})
}

// stats limits a guest's figures to what is possible.
func stats(s guest.Stats) *core.Stats {
	load := s.Load
	if math.IsNaN(load) || load < 0 {
		load = 0
	}
	return &core.Stats{
		MemoryTotal: max(s.MemoryTotal, 0), MemoryUsed: max(s.MemoryUsed, 0), AppRSS: max(s.AppRSS, 0), InitRSS: max(s.InitRSS, 0),
		CPU: millis(s.CPUMillis), Load: load, OpenFiles: max(s.OpenFiles, 0), Processes: max(s.Processes, 0),
		Uptime: millis(s.UptimeMillis), Dropped: max(s.Dropped, 0), Refaults: max(s.Refaults, 0),
	}
}

// millis returns a guest's figure as a duration, which is 0 or more and does not overflow.
func millis(n int64) time.Duration {
	return time.Duration(min(max(n, 0), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

func bootDetail(kernel string, t *core.BootTimes) string {
	if t == nil {
		return "Linux " + kernel
	}
	return "Linux " + kernel + ": " + t.String()
}

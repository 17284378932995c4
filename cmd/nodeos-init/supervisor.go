package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	restartFirst = time.Second
	restartMost  = 30 * time.Second
	// After an app has run for this long, its next restart comes after the first pause again.
	settled = time.Minute
	// After the end of the app, its last lines are read for no longer than this.
	drainLimit = time.Second
)

// host is what the supervisor does to the machine it runs in.
type host interface {
	// prepare sets up the clock, the host name, the network and the limits, and returns the function that starts the
	// app. A warning says what could not be done and is not fatal.
	prepare(s *guest.Start) (starter, []string, error)
	// killAll ends the processes that the app has left behind.
	killAll()
	// stats returns what the machine uses. lost is how many lines nobody will see.
	stats(lost int64) *guest.Stats
	// setTime corrects the clock, and returns what it did.
	setTime(t time.Time) (said string, err error)
	// freeze holds all writes to the volumes, and thaw lets them go on.
	freeze() error
	thaw()
}

// starter starts the app.
type starter func(c command) (*process, error)

// supervisor runs the app. All of its state belongs to the goroutine of run.
type supervisor struct {
	out       *outbox
	host      host
	messages  chan guest.Message
	stops     chan time.Duration // the grace period of each
	deaths    chan death
	listening chan *running
	booted    guest.Booted // what gitd was told

	begin    *guest.Start  // nil until gitd has sent it
	begun    time.Duration // when that was, since the kernel started
	steps    []guest.Step  // never empty then
	at       int           // the step that runs, or ran last
	starter  starter
	door     door
	noShell  noShell
	app      *running         // nil while none runs
	first    *guest.Listening // nil until the app listened once
	restarts int
	pause    time.Duration
	restart  <-chan time.Time
	kill     <-chan time.Time
	frozen   <-chan time.Time // when writes go on by themselves; nil: nothing holds them
	stopping bool

	// Of a task; the zero values are those of a server.
	streams *streams         // nil unless it is attached
	input   *os.File         // what its processes read; nil: nothing
	limit   <-chan time.Time // when it has run for too long
	handed  chan func() bool // what follows when the host has taken a process's output; true: the machine must end
}

// running is one run of the app.
type running struct {
	*process
	since     time.Time
	listens   bool
	where     netip.AddrPort // the address where it listens, if connections are led there
	unwatch   context.CancelFunc
	output    sync.WaitGroup
	killsSeen string
}

func newSupervisor(out *outbox, h host) *supervisor {
	return &supervisor{
		out: out, host: h,
		messages: make(chan guest.Message), stops: make(chan time.Duration),
		deaths: make(chan death), listening: make(chan *running), handed: make(chan func() bool, 1),
	}
}

// run serves until the machine must end. A nil error is an orderly end. The caller must feed messages, stops and
// deaths.
func (s *supervisor) run() error {
	beat, stats := time.NewTicker(guest.BeatPeriod), time.NewTicker(guest.StatsPeriod)
	defer beat.Stop()
	defer stats.Stop()
	defer s.thaw()
	for {
		var err error
		over := false
		select {
		case m := <-s.messages:
			over, err = s.message(m)
		case grace := <-s.stops:
			over = s.stop(grace)
		case d := <-s.deaths:
			over = s.died(d)
		case r := <-s.listening:
			s.listens(r)
		case <-beat.C:
			s.out.put(guest.Message{Kind: guest.KindBeat, Beat: &guest.Clock{UnixNano: time.Now().UnixNano()}})
		case <-stats.C:
			s.out.put(s.statsMessage())
		case <-s.restart:
			s.restart = nil
			s.restarts++
			over = s.startApp()
		case <-s.kill:
			s.signal(unix.SIGKILL)
		case <-s.frozen:
			s.thaw()
		case then := <-s.handed:
			over = then()
		case <-s.limit:
			over = s.stop(stopGrace)
		}
		if over || err != nil {
			return err
		}
	}
}

// message handles one message. over says that the machine must end.
func (s *supervisor) message(m guest.Message) (over bool, err error) {
	switch m.Kind {
	case guest.KindHello:
		s.hello()
	case guest.KindAck:
		s.out.acknowledged(m.Ack.Seq)
	case guest.KindTime:
		s.setTime(time.Unix(0, m.Time.UnixNano))
	case guest.KindStop:
		return s.stop(time.Duration(m.Stop.GraceMillis) * time.Millisecond), nil
	case guest.KindStart:
		return s.start(m.Start)
	case guest.KindFreeze:
		s.freeze(*m.Freeze)
	default:
		s.taskMessage(m)
	}
	return false, nil
}

// start prepares the machine and starts what it is for.
func (s *supervisor) start(m *guest.Start) (over bool, err error) {
	if s.begin != nil {
		s.out.log("a second start was ignored")
		return false, nil
	}
	s.begin, s.steps, s.door.port, s.begun = m, stepsOf(m), m.Port, sinceBoot()
	var warnings []string
	s.starter, warnings, err = s.host.prepare(m)
	for _, w := range warnings {
		s.out.log("%s", w)
	}
	if err == nil {
		err = s.beginTask(m.Task)
	}
	if err != nil {
		return true, err
	}
	return s.startApp(), nil
}

// hello tells a gitd that has just connected what it may have missed.
func (s *supervisor) hello() {
	states := []guest.Message{{Kind: guest.KindBooted, Booted: &s.booted}}
	if s.app != nil && s.app.listens {
		states = append(states, guest.Message{Kind: guest.KindListening, Listening: s.first})
	}
	s.out.resend(append(states, s.statsMessage())...)
}

func (s *supervisor) statsMessage() guest.Message {
	return guest.Message{Kind: guest.KindStats, Stats: s.host.stats(s.out.lostLines())}
}

// setTime corrects the clock. To the app, a machine that slept is one that was stopped and goes on, as by Ctrl-Z and
// fg.
func (s *supervisor) setTime(t time.Time) {
	said, err := s.host.setTime(t)
	if err != nil {
		said = err.Error()
	}
	if said != "" {
		s.signal(unix.SIGCONT)
		s.out.log("%s", said)
	}
}

// startApp starts the app with its first step. over says that it cannot be started and never could.
func (s *supervisor) startApp() (over bool) {
	s.at = 0
	return s.goOn()
}

// goOn runs steps from s.at on, until one is a process that runs.
func (s *supervisor) goOn() (over bool) {
	for {
		step := s.steps[s.at]
		if len(s.steps) > 1 {
			s.out.log("step %d of %d: %s", s.at+1, len(s.steps), step.Name)
		}
		var e *guest.Exited
		if text, ok := echo(step); ok {
			e = &guest.Exited{Reason: "exit code 0"}
			if s.streams != nil {
				s.handOver(func() { s.streams.send("stdout", []byte(text+"\n")) }, func() bool { return s.after(e, 0) })
				return false
			}
			splitLines(strings.NewReader(text+"\n"), func(l string) { s.out.line("stdout", l) })
		} else if err := s.startStep(step); err != nil {
			e = &guest.Exited{Code: 127, Reason: "cannot be started: " + err.Error()}
		} else {
			return false
		}
		if !s.advance(e) {
			return s.ended(e, 0)
		}
	}
}

// advance chooses the step that follows the one that ended with e; false: there is none, so the app has ended with e.
func (s *supervisor) advance(e *guest.Exited) bool {
	step := s.steps[s.at]
	to := next(s.steps, s.at, e.Code == 0)
	if len(s.steps) > 1 && (e.Code != 0 || to < 0) {
		e.Reason += " (" + step.Name + ")"
	}
	if s.stopping || to < 0 {
		return false
	}
	if e.Code != 0 {
		s.out.log("%s", e.Reason)
	}
	s.at = to
	return true
}

// startStep starts the program of a step.
func (s *supervisor) startStep(step guest.Step) error {
	p, err := s.starter(command{
		args: step.Args, env: overlay(s.begin.Env, step.Env), dir: filepath.Join(guest.AppDir, step.Dir), input: s.input, terminal: s.terminal(),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{process: p, since: time.Now(), unwatch: cancel, killsSeen: oomKills()}
	s.app = r
	for i, output := range p.output {
		r.output.Go(func() { s.carry([]string{"stdout", "stderr"}[i], output) })
	}
	if s.begin.Task == nil {
		s.watchDoor(ctx, r)
	}
	return nil
}

// carry takes one of the outputs of a process to the host.
func (s *supervisor) carry(stream string, output *os.File) {
	if s.streams != nil {
		s.streams.pour(stream, output)
		return
	}
	capture(output, func(text string) {
		s.out.line(stream, text)
		s.noShell.look(text, s.out.log)
	})
}

// watchDoor tells the host when the app of r can be reached.
func (s *supervisor) watchDoor(ctx context.Context, r *running) {
	go s.door.watch(ctx, listenNews{
		listening: func(where netip.AddrPort) {
			r.where = where
			select {
			case s.listening <- r:
			case <-ctx.Done():
			}
		},
		say: func(text string) { s.out.log("%s", text) },
		misplaced: func(where netip.AddrPort) {
			s.out.put(guest.Message{Kind: guest.KindMisplaced, Misplaced: &guest.Misplaced{Address: where.String()}})
		},
	})
}

func (s *supervisor) listens(r *running) {
	if s.app != r {
		return
	}
	r.listens = true
	m := guest.Message{Kind: guest.KindListening}
	if s.first == nil {
		s.first = &guest.Listening{
			StartMillis: int(r.started.Milliseconds()), CodeMillis: int(time.Duration(r.code.at.Load()).Milliseconds()),
			ListenMillis: int(sinceBoot().Milliseconds()),
		}
		if s.booted.Spare {
			s.first.BeginMillis = int(s.begun.Milliseconds())
		}
		if r.where.IsValid() {
			s.first.Address = r.where.String()
		}
		m.Listening = s.first
	}
	s.out.put(m)
}

// died notes the end of a child. over says that the machine must end.
func (s *supervisor) died(d death) (over bool) {
	r := s.app
	if r == nil || d.pid != r.pid {
		return false // an orphan
	}
	s.app, s.kill = nil, nil
	r.unwatch()
	r.code.close()
	if s.stopping || next(s.steps, s.at, d.status == 0) < 0 {
		s.host.killAll()
	}
	if s.streams != nil && !s.stopping {
		written := r.output.Wait
		if s.streams.slave != nil && next(s.steps, s.at, d.status == 0) < 0 {
			s.streams.hangUp()
			written = s.streams.poured.Wait
		}
		s.handOver(written, func() bool { return s.finished(r, d) }) // a client may be slow
		return false
	}
	waitOutput(&r.output)
	return s.finished(r, d)
}

// finished goes on after the end of a process, all of whose output is on its way. over says that the machine must end.
func (s *supervisor) finished(r *running, d death) (over bool) {
	memory, _ := parseMemory(slurp("/proc/meminfo"))
	e := exited(d, oomKills() != r.killsSeen, memory)
	if s.begin.Task != nil && e.Code == 0 {
		e.Reason = "exit code 0"
	}
	if s.stopping {
		e.Reason = "stopped on request"
		if d.status.Signaled() && d.status.Signal() == unix.SIGKILL {
			e.Reason += ", by SIGKILL: it did not end within the grace period after SIGTERM"
		}
	}
	return s.after(e, time.Since(r.since))
}

// after goes on after a step that ended with e, after it had run for so long.
func (s *supervisor) after(e *guest.Exited, ran time.Duration) (over bool) {
	if s.advance(e) {
		return s.goOn()
	}
	return s.ended(e, ran)
}

// ended reports the app's end, after it has run for so long, and plans its restart. An app that has never listened is
// not started again, because its release has failed; without gitd, there is no release.
func (s *supervisor) ended(e *guest.Exited, ran time.Duration) (over bool) {
	e.Restarts = s.restarts
	s.out.put(guest.Message{Kind: guest.KindExited, Exited: e})
	if s.stopping || s.first == nil && !s.begin.Alone {
		return true
	}
	if s.pause = min(2*s.pause, restartMost); s.pause == 0 || ran > settled {
		s.pause = restartFirst
	}
	s.out.log("the app starts again in %s", s.pause)
	s.restart = time.After(s.pause)
	return false
}

// stop asks the app to end. over says that no app runs.
func (s *supervisor) stop(grace time.Duration) (over bool) {
	s.stopping, s.restart = true, nil
	s.thaw() // a process that waits to write cannot end
	if s.app == nil {
		return true
	}
	s.signal(unix.SIGTERM)
	s.kill = time.After(grace)
	return false
}

// signal sends sig to the app's process group.
func (s *supervisor) signal(sig unix.Signal) {
	if s.app == nil {
		return
	}
	if err := unix.Kill(-s.app.pid, sig); err != nil {
		fmt.Fprintf(os.Stderr, "nodeos-init: send %s to the app: %v\n", unix.SignalName(sig), err)
	}
}

// waitOutput waits until all output has been read, or for drainLimit: a process that survived killAll could hold the
// output open.
func waitOutput(all *sync.WaitGroup) {
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(drainLimit):
	}
}

func oomKills() string {
	return parseOOMKills(slurp("/proc/vmstat"))
}

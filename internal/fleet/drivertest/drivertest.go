// Package drivertest is the conformance suite of fleet.Driver: what the core
// relies on, as tests that a real driver and a fake one both pass.
//
// It owns the expectations. It does not own images: the spec it is given must
// boot a program that behaves as the environment variable Mode says.
package drivertest

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// Mode is the environment variable that tells the program in the machine what
// to do; its values follow.
const (
	Mode  = "DRIVERTEST"
	Serve = "serve" // listen on PORT, answer every request with 200 and Greeting
	Exit  = "exit"  // write LastWords to stderr and exit with code 3, without listening
	Eat   = "eat"   // take memory until there is none, without listening
	Work  = "work"  // write LastWords to stderr, and then do nothing until SIGTERM, without listening
	Cat   = "cat"   // write LastWords to stderr, copy standard input to standard output, and exit with code 4
)

// What the program in the machine says.
const (
	Greeting  = "hello from the machine"
	LastWords = "cannot find the database"
)

// limit bounds each wait. A machine boots in seconds, even emulated and on a busy host.
const limit = 2 * time.Minute

// Run runs the suite. Each call of open must return a new driver on the same state, as a new process of gitd would make
// it. A driver that is an io.Closer is closed before the next one is opened. Each call of spec must return another ID.
func Run(t *testing.T, open func(t *testing.T) fleet.Driver, spec func(t *testing.T) core.MachineSpec) {
	for name, test := range map[string]func(*suite){
		"Life":         (*suite).life,
		"AppThatExits": (*suite).appThatExits,
		"AppThatEats":  (*suite).appThatEats,
		"AppThatWorks": (*suite).appThatWorks,
		"Unknown":      (*suite).unknown,
		"StopAtOnce":   (*suite).stopAtOnce,
		"TwoAtOnce":    (*suite).twoAtOnce,
		"Task":         (*suite).task,
		"TaskSignal":   (*suite).taskSignal,
		"Sleep":        (*suite).sleep,
	} {
		t.Run(name, func(t *testing.T) {
			s := &suite{T: t, open: open, spec: spec}
			s.reopen()
			t.Cleanup(s.close)
			test(s)
		})
	}
}

type suite struct {
	*testing.T
	open   func(t *testing.T) fleet.Driver
	spec   func(t *testing.T) core.MachineSpec
	driver fleet.Driver
}

// reopen is a restart of gitd.
func (s *suite) reopen() {
	s.Helper()
	s.close()
	s.driver = s.open(s.T)
}

func (s *suite) close() {
	if c, ok := s.driver.(io.Closer); ok {
		if err := c.Close(); err != nil {
			s.Errorf("close driver: %v", err)
		}
	}
	s.driver = nil
}

// life follows one machine from its boot to its end, over a restart of gitd.
func (s *suite) life() {
	spec := s.mode(Serve)
	first := newWatcher(s.T)
	m := s.boot(spec, first)
	if m.ID != spec.ID || m.App != spec.App || m.Release != spec.Release || m.Started.IsZero() {
		s.Errorf("Boot returned %+v for %s", m, spec.ID)
	}
	s.times(first.await(core.EventBooted), core.EventBooted)
	s.times(first.await(core.EventListening), core.EventListening)
	s.answers(m)
	s.lists(m)

	s.reopen()
	s.lists(m)
	second := newWatcher(s.T)
	adopted, err := s.driver.Adopt(s.Context(), m.ID, second.watch)
	if err != nil {
		s.Fatalf("Adopt: %v", err)
	}
	if adopted.Addr != m.Addr || adopted.App != m.App || adopted.Release != m.Release {
		s.Errorf("Adopt returned %+v, Boot %+v", adopted, m)
	}
	second.await(core.EventListening)
	if err := s.driver.Restrict(s.Context(), m.ID, core.Egress{Rate: 1 << 20}); err != nil {
		s.Errorf("Restrict: %v", err)
	}
	s.stats(second.await(core.EventStats))
	s.answers(adopted)
	s.ports(adopted, spec.Port)
	if first.has(core.EventGone) {
		s.Error("a closed driver said that the machine is gone")
	}

	s.stop(m.ID, 5*time.Second)
	second.await(core.EventGone)
	if last := second.all(); last[len(last)-1].Kind != core.EventGone {
		s.Errorf("gone is not the last event: %+v", last)
	}
	s.lists()
	s.stop(m.ID, 5*time.Second) // again: no error
}

// times checks that a boot says where its time went.
func (s *suite) times(e core.Event, kind core.EventKind) {
	s.Helper()
	if e.Boot == nil || e.Boot.Kernel <= 0 || e.Boot.Total() > limit || (kind == core.EventListening) != (e.Boot.App > 0) {
		s.Errorf("%s: boot times %+v", kind, e.Boot)
	}
}

// stats checks the figures that an adopted machine sends at once.
func (s *suite) stats(e core.Event) {
	s.Helper()
	u := e.Stats
	if u == nil || u.MemoryTotal <= 0 || u.MemoryUsed <= 0 || u.MemoryUsed > u.MemoryTotal || u.AppRSS <= 0 ||
		u.CPU <= 0 || u.OpenFiles <= 0 || u.Processes <= 0 || u.Uptime <= 0 {
		s.Errorf("stats: %+v", u)
	}
}

// appThatExits checks that the last words of an app arrive, and that they arrive before the news of its end.
func (s *suite) appThatExits() {
	w := newWatcher(s.T)
	spec := s.mode(Exit)
	s.boot(spec, w)
	exited := w.await(core.EventExited)
	w.await(core.EventGone)
	if !strings.Contains(exited.Detail, "3") || exited.OutOfMemory {
		s.Errorf("exited: %q (out of memory: %v), want the exit code", exited.Detail, exited.OutOfMemory)
	}
	events := w.all()
	words := slices.IndexFunc(events, func(e core.Event) bool {
		return e.Kind == core.EventLog && e.Stream == "stderr" && strings.Contains(e.Line, LastWords)
	})
	end := slices.IndexFunc(events, func(e core.Event) bool { return e.Kind == core.EventExited })
	if words < 0 || words > end {
		s.Errorf("the app's last words are event %d, its exit %d of %+v", words, end, events)
	}
	if w.has(core.EventListening) {
		s.Error("listening, from an app that never did")
	}
	s.lists()
	s.stop(spec.ID, 0)
}

// appThatEats checks that a lack of memory is told from other ends: gitd answers it with more memory.
func (s *suite) appThatEats() {
	w := newWatcher(s.T)
	spec := s.mode(Eat)
	s.boot(spec, w)
	if exited := w.await(core.EventExited); !exited.OutOfMemory {
		s.Errorf("exited: %q is not known as a lack of memory", exited.Detail)
	}
	w.await(core.EventGone)
	s.stop(spec.ID, 0)
}

// appThatWorks checks that a machine whose app does not listen runs until it is stopped, over a restart of gitd.
func (s *suite) appThatWorks() {
	first, second := newWatcher(s.T), newWatcher(s.T)
	m := s.boot(s.mode(Work), first)
	first.await(core.EventLog)
	s.reopen()
	s.lists(m)
	if _, err := s.driver.Adopt(s.Context(), m.ID, second.watch); err != nil {
		s.Fatalf("Adopt: %v", err)
	}
	second.await(core.EventStats)
	s.stop(m.ID, 5*time.Second)
	second.await(core.EventGone)
	if first.has(core.EventListening) || second.has(core.EventListening) || first.has(core.EventExited) {
		s.Errorf("an app that only works: %+v, %+v", first.all(), second.all())
	}
	s.lists()
}

func (s *suite) unknown() {
	if _, err := s.driver.Adopt(s.Context(), "nobody-v1-abc", func(core.Event) {}); !errors.Is(err, core.ErrNotFound) {
		s.Errorf("Adopt of an unknown machine: %v", err)
	}
	if err := s.driver.Restrict(s.Context(), "nobody-v1-abc", core.Egress{}); !errors.Is(err, core.ErrNotFound) {
		s.Errorf("Restrict of an unknown machine: %v", err)
	}
	s.stop("nobody-v1-abc", time.Second)
}

// stopAtOnce checks that a machine can be stopped while it boots.
func (s *suite) stopAtOnce() {
	w := newWatcher(s.T)
	spec := s.mode(Serve)
	s.boot(spec, w)
	s.stop(spec.ID, 0)
	s.lists()
	w.await(core.EventGone)
}

func (s *suite) twoAtOnce() {
	type booted struct {
		m core.Machine
		w *watcher
	}
	machines := make(chan booted, 2)
	for range cap(machines) {
		spec := s.mode(Serve)
		go func() {
			w := newWatcher(s.T)
			m, err := s.driver.Boot(s.Context(), spec, w.watch)
			if err != nil {
				s.Errorf("Boot: %v", err)
			}
			machines <- booted{m, w}
		}()
	}
	a, b := <-machines, <-machines
	if s.Failed() {
		return
	}
	for _, x := range []booted{a, b} {
		x.w.await(core.EventListening)
		s.answers(x.m)
	}
	s.lists(a.m, b.m)
	s.stop(a.m.ID, 5*time.Second)
	s.lists(b.m)
	s.answers(b.m)
	s.stop(b.m.ID, 0)
}

func (s *suite) mode(mode string) core.MachineSpec {
	spec := s.spec(s.T)
	env := maps.Clone(spec.Env)
	if env == nil {
		env = map[string]string{}
	}
	env[Mode] = mode
	spec.Env = env
	return spec
}

func (s *suite) boot(spec core.MachineSpec, w *watcher) core.Machine {
	s.Helper()
	m, err := s.driver.Boot(s.Context(), spec, w.watch)
	if err != nil {
		s.Fatalf("Boot: %v", err)
	}
	s.Cleanup(func() {
		if s.driver == nil {
			return
		}
		if err := s.driver.Stop(context.Background(), spec.ID, 0); err != nil {
			s.Errorf("clean up: %v", err)
		}
	})
	return m
}

func (s *suite) stop(id string, grace time.Duration) {
	s.Helper()
	if err := s.driver.Stop(s.Context(), id, grace); err != nil {
		s.Errorf("Stop %s: %v", id, err)
	}
}

func (s *suite) lists(want ...core.Machine) {
	s.Helper()
	got, err := s.driver.List(s.Context())
	if err != nil {
		s.Fatalf("List: %v", err)
	}
	key := func(m core.Machine) string { return m.ID + " " + m.App + " " + m.Addr }
	var a, b []string
	for _, m := range got {
		a = append(a, key(m))
	}
	for _, m := range want {
		b = append(b, key(m))
	}
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) {
		s.Errorf("List: %q, want %q", a, b)
	}
}

// ports checks that each port of a machine is reached, and that a connection which nobody has taken is none.
func (s *suite) ports(m core.Machine, port int) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	c, err := guestport.Dial(ctx, m.Addr, port)
	if err != nil {
		s.Fatalf("DialPort %d: %v", port, err)
	}
	c.Close()
	if _, err := guestport.Dial(ctx, m.Addr, port+1); strings.HasPrefix(m.Addr, "/") && !errors.Is(err, guestport.ErrNotListening) {
		s.Errorf("DialPort %d, at which nothing listens: %v", port+1, err)
	}
}

// Transport connects to a machine for each request.
func Transport(m core.Machine) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: core.MachineDialer(m.Addr, limit)}
}

func (s *suite) answers(m core.Machine) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://machine/", nil)
	if err != nil {
		s.Fatal(err)
	}
	res, err := Transport(m).RoundTrip(req)
	if err != nil {
		s.Fatalf("GET %s: %v", m.Addr, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), Greeting) {
		s.Errorf("GET %s: %s %q %v", m.Addr, res.Status, body, err)
	}
}

package drivertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing/iotest"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// saver is a driver that saves machines, and restores them (sleep.Saver).
type saver interface {
	Save(ctx context.Context, id string, to io.WriteCloser) (serials []string, err error)
	Restore(ctx context.Context, spec core.MachineSpec, serials []string, from io.Reader, w core.Watch) (core.Machine, error)
	Host() string
}

// state is what a machine is saved to.
type state struct {
	all    []byte
	most   int   // bytes; 0: any number
	closed error // of Close
}

var errFull = errors.New("no space left on device")

func (s *state) Write(p []byte) (int, error) {
	if s.most > 0 && len(s.all)+len(p) > s.most {
		return 0, errFull
	}
	s.all = append(s.all, p...)
	return len(p), nil
}

func (s *state) Close() error { return s.closed }

// sleep saves a machine, ends it, and goes on with it in another one. What is no state of it starts nothing, and leaves
// nothing.
func (s *suite) sleep() {
	d, ok := s.driver.(saver)
	if !ok {
		s.Fatal("the driver saves no machines")
	}
	if d.Host() == "" {
		s.Error("it does not say on what machines run")
	}
	if _, err := d.Save(s.Context(), "nobody-v1-abc", &state{}); !errors.Is(err, core.ErrNotFound) {
		s.Errorf("Save of an unknown machine: %v", err)
	}
	spec, w := s.mode(Serve), newWatcher(s.T)
	m := s.boot(spec, w)
	w.await(core.EventListening)
	for what, to := range map[string]*state{"a full disk": {most: 10}, "a file that does not close": {closed: errFull}} {
		if _, err := d.Save(s.Context(), m.ID, to); !errors.Is(err, errFull) {
			s.Errorf("Save to %s: %v", what, err)
		}
		s.answers(m) // it goes on
		s.lists(m)
	}
	savedAndKilled(s, m)
	var whole state
	serials, err := s.driver.(saver).Save(s.Context(), m.ID, &whole)
	if err != nil || len(serials) != len(spec.Disks) || len(whole.all) == 0 {
		s.Fatalf("Save: %d disks, %d bytes, %v", len(serials), len(whole.all), err)
	}
	s.lists(m) // whoever saves it stops it
	s.stop(m.ID, 0)
	s.lists()
	s.noState(serials, whole.all)
	s.goesOn(m, serials, bytes.NewReader(whole.all))
}

// savedAndKilled is the end of gitd between a Save and the Stop that follows: the machine stood still for ever.
func savedAndKilled(s *suite, m core.Machine) {
	s.Helper()
	if _, err := s.driver.(saver).Save(s.Context(), m.ID, &state{}); err != nil {
		s.Fatalf("Save: %v", err)
	}
	s.reopen()
	w := newWatcher(s.T)
	if _, err := s.driver.Adopt(s.Context(), m.ID, w.watch); err != nil {
		s.Fatalf("Adopt: %v", err)
	}
	w.await(core.EventListening)
	s.answers(m)
}

// noState restores from what is no state of the machine.
func (s *suite) noState(serials []string, whole []byte) {
	s.Helper()
	half := whole[:len(whole)/2]
	for what, tt := range map[string]struct {
		serials []string
		from    io.Reader
	}{
		"nothing":                 {serials, strings.NewReader("")},
		"something else":          {serials, strings.NewReader(strings.Repeat("this is no state", 1000))},
		"the first half":          {serials, bytes.NewReader(half)},
		"what does not read":      {serials, io.MultiReader(bytes.NewReader(half), iotest.ErrReader(errFull))},
		"a machine of more disks": {append([]string{"other"}, serials...), bytes.NewReader(whole)},
	} {
		w := newWatcher(s.T)
		if m, err := s.driver.(saver).Restore(s.Context(), s.mode(Serve), tt.serials, tt.from, w.watch); err == nil {
			s.Errorf("a machine goes on from %s", what)
			s.stop(m.ID, 0)
		}
		s.lists()
	}
}

// goesOn restores a machine, which is one as any other then: it answers, is adopted, and stops.
func (s *suite) goesOn(before core.Machine, serials []string, whole io.Reader) {
	s.Helper()
	spec, first, second := s.mode(Serve), newWatcher(s.T), newWatcher(s.T)
	m, err := s.driver.(saver).Restore(s.Context(), spec, serials, whole, first.watch)
	if err != nil {
		s.Fatalf("Restore: %v", err)
	}
	if m.ID != spec.ID || m.ID == before.ID || m.App != spec.App || m.Release != spec.Release || m.Started.IsZero() {
		s.Errorf("Restore returned %+v for %s", m, spec.ID)
	}
	first.await(core.EventListening)
	s.answers(m)
	s.lists(m)
	s.reopen()
	if _, err := s.driver.Adopt(s.Context(), m.ID, second.watch); err != nil {
		s.Fatalf("Adopt: %v", err)
	}
	second.await(core.EventListening)
	s.answers(m)
	s.stop(m.ID, 5*time.Second)
	second.await(core.EventGone)
	s.lists()
}

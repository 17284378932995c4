package coretest

import (
	"context"
	"slices"
	"strconv"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/drivertest"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// runs is what the machine of a task does: the command is one of a few words.
func (d *fakeDriver) runs(m *fakeMachine) {
	m.watch(core.Event{Kind: core.EventBooted})
	args := m.spec.Steps[0].Args
	code := 0
	switch args[0] {
	case "cat":
		d.cat(m, 0)
		return
	case "say": // says the second word, and exits with the last
		m.says("stdout", args[1])
		code, _ = strconv.Atoi(args[len(args)-1])
	case "flood": // does not care for room: at once, so that no reader is fast enough to make some
		m.says("stdout", string(make([]byte, 2*guest.DataRoom)))
		return
	case "wait": // for ever
		return
	}
	d.exits(m, core.Event{Code: code, Detail: "exit code " + strconv.Itoa(code)})
}

func (m *fakeMachine) says(stream, text string) {
	if m.spec.Task.Attached {
		m.watch(core.Event{Kind: core.EventOutput, Stream: stream, Data: []byte(text)})
		return
	}
	m.watch(core.Event{Kind: core.EventLog, Stream: stream, Line: text})
}

// exits ends the task of m, and then m itself.
func (d *fakeDriver) exits(m *fakeMachine, e core.Event) {
	e.Kind = core.EventExited
	m.watch(e)
	d.Stop(context.Background(), m.ID, 0) //nolint:errcheck // it cannot fail
}

// cat does what drivertest.Cat says: it keeps what comes until there is room for it.
func (d *fakeDriver) cat(m *fakeMachine, code int) {
	room, eof := guest.DataRoom, false
	var kept []byte
	m.watch(core.Event{Kind: core.EventOutput, Stream: "stderr", Data: []byte(drivertest.LastWords)})
	room -= len(drivertest.LastWords)
	m.watch(core.Event{Kind: core.EventRoom, Bytes: guest.DataRoom})
	for !eof || len(kept) > 0 || room < guest.DataRoom {
		t := <-m.told
		if t.Signal == 15 {
			d.exits(m, core.Event{Code: -1, Signal: "SIGTERM", Detail: "ended by SIGTERM"})
			return
		}
		kept, eof, room = append(kept, t.Input...), eof || t.EOF, room+t.Room
		for len(kept) > 0 && room > 0 {
			n := min(len(kept), room, guest.MaxData)
			m.watch(core.Event{Kind: core.EventOutput, Stream: "stdout", Data: slices.Clone(kept[:n])})
			m.watch(core.Event{Kind: core.EventRoom, Bytes: n})
			kept, room = kept[n:], room-n
		}
	}
	d.exits(m, core.Event{Code: code, Detail: "exit code " + strconv.Itoa(code)})
}

// follow takes every word as it is.
func follow(_ context.Context, _ core.Release, words []string) ([]core.StartStep, error) {
	return []core.StartStep{step(words...)}, nil
}

func step(words ...string) core.StartStep {
	s := core.StartStep{Next: core.Next{OK: 1, Fail: 1}}
	for _, w := range words {
		s.Words = append(s.Words, core.Plain(w))
	}
	return s
}

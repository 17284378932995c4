package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// freezing is a stage on which the app runs, and the answers to what it is asked.
func freezing(t *testing.T) (*stage, func(f guest.Freeze) guest.Freeze) {
	t.Helper()
	st := newStage(t)
	st.begin(0)
	<-st.started
	n := 0
	return st, func(f guest.Freeze) guest.Freeze {
		t.Helper()
		n++
		f.ID = n
		st.send(guest.Message{Kind: guest.KindFreeze, Freeze: &f})
		return st.sent.freeze(t, n)
	}
}

// freeze waits for an answer.
func (s *syncBuffer) freeze(t *testing.T, id int) (answer guest.Freeze) {
	t.Helper()
	s.await(fmt.Sprintf(`"freeze":{"id":%d`, id)) // a message is written as a whole
	r := guest.NewReader(bytes.NewReader(s.bytes()))
	for m, err := r.Read(); err == nil; m, err = r.Read() {
		if m.Kind == guest.KindFreeze && m.Freeze.ID == id {
			answer = *m.Freeze
		}
	}
	return answer
}

// TestFreeze: writes are held until the host says otherwise, or is not heard of again, or the app must end; and whoever
// ends a freeze learns whether it had lasted.
func TestFreeze(t *testing.T) {
	st, ask := freezing(t)
	minute := guest.Freeze{Millis: 60_000}
	if a := ask(minute); a.Error != "" {
		t.Errorf("freeze: %q", a.Error)
	}
	if a := ask(guest.Freeze{}); a.Error != "" {
		t.Errorf("the end of a freeze: %q", a.Error)
	}
	<-st.thawed
	if a := ask(guest.Freeze{}); a.Error != "it was over" {
		t.Errorf("the end of none: %q", a.Error)
	}
	if a := ask(guest.Freeze{Millis: 1}); a.Error != "" {
		t.Errorf("freeze: %q", a.Error)
	}
	<-st.thawed // by itself
	if a := ask(guest.Freeze{}); a.Error != "it was over" {
		t.Errorf("the end of one that ran out: %q", a.Error)
	}
	ask(minute)
	st.send(guest.Message{Kind: guest.KindStop, Stop: &guest.Stop{GraceMillis: 60_000}})
	<-st.thawed
	if a := ask(guest.Freeze{}); a.Error != "it was over" {
		t.Errorf("after a stop: %q", a.Error)
	}
	ask(minute) // nothing is held any more
	st.deaths <- death{pid: noSuchPID}
	st.said(t)
	select {
	case <-st.thawed:
		t.Error("an app that is to end was frozen")
	default:
	}
}

// TestFreezeFails: a freeze that fails in the middle holds nothing.
func TestFreezeFails(t *testing.T) {
	st, ask := freezing(t)
	st.fail = errors.New("no such file system")
	if a := ask(guest.Freeze{Millis: 60_000}); a.Error != "no such file system" {
		t.Errorf("%q", a.Error)
	}
	<-st.thawed
}

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// beginTask starts a task that says text.
func (st *stage) beginTask(text string, steps ...guest.Step) {
	st.says = text
	st.send(guest.Message{Kind: guest.KindStart, Start: &guest.Start{Args: []string{"node"}, Steps: steps, Task: &guest.Task{Attached: true}}})
}

// sentOutput is what was sent of stdout so far.
func (st *stage) sentOutput() string {
	var all strings.Builder
	r := guest.NewReader(bytes.NewReader(st.sent.bytes()))
	for {
		m, err := r.Read()
		if err != nil {
			return all.String()
		}
		if m.Kind == guest.KindOutput && m.Output.Stream == "stdout" {
			all.Write(m.Output.Data)
		}
	}
}

// TestTaskWaitsForRoom: no more is sent than the host has room for, the end is told when the host has taken everything,
// and the machine ends then.
func TestTaskWaitsForRoom(t *testing.T) {
	st := newStage(t)
	text := strings.Repeat("\x00\xff\n", guest.DataRoom)
	st.beginTask(text)
	<-st.started
	st.deaths <- death{pid: noSuchPID, status: 5 << 8}
	sent := 0
	for sent < len(text) {
		st.sent.awaitMore(func() bool {
			now := len(st.sentOutput())
			if now > sent+guest.DataRoom {
				t.Fatalf("%d bytes were sent, and %d have been taken", now, sent)
			}
			return now > sent
		})
		now := len(st.sentOutput())
		if strings.Contains(string(st.sent.bytes()), `"exited"`) {
			t.Fatal("its end was told before its output was taken")
		}
		st.send(guest.Message{Kind: guest.KindRoom, Room: &guest.Room{Bytes: now - sent}})
		sent = now
	}
	st.send(guest.Message{Kind: guest.KindRoom, Room: &guest.Room{Bytes: len("words\n")}})
	if err := <-st.over; err != nil {
		t.Fatal(err)
	}
	st.out.flush(time.Minute)
	if st.sentOutput() != text || !strings.Contains(string(st.sent.bytes()), `"exited":{"code":5`) {
		t.Errorf("%d bytes of %d were sent", len(st.sentOutput()), len(text))
	}
}

// TestTaskInput: what the host sends can be read by the processes of a task, the next of which goes on where the one
// before has stopped; and the host has room again for what was read.
func TestTaskInput(t *testing.T) {
	st := newStage(t)
	st.beginTask("x")
	<-st.started
	st.send(guest.Message{Kind: guest.KindInput, Input: &guest.Input{Data: []byte("one two")}})
	st.send(guest.Message{Kind: guest.KindInput, Input: &guest.Input{Data: []byte(" three"), EOF: true}})
	got, err := io.ReadAll(st.asked[0].input)
	if err != nil || string(got) != "one two three" {
		t.Errorf("read %q, %v", got, err)
	}
	st.stops <- time.Minute
	st.deaths <- death{pid: noSuchPID}
	if err := <-st.over; err != nil {
		t.Fatal(err)
	}
}

// TestTaskThatIsStopped: a task whose client takes nothing any more can be stopped.
func TestTaskThatIsStopped(t *testing.T) {
	st := newStage(t)
	st.beginTask(strings.Repeat("x", 2*guest.DataRoom))
	<-st.started
	st.deaths <- death{pid: noSuchPID} // its output waits for the host
	st.stops <- time.Minute
	if err := <-st.over; err != nil {
		t.Fatal(err)
	}
}

// TestTaskEchoes: what needs no program is a part of the output too.
func TestTaskEchoes(t *testing.T) {
	st := newStage(t)
	st.beginTask("x", guest.Step{Args: []string{"echo", "a", "b"}, OK: 1, Fail: 1})
	st.sent.await(`"output"`)
	st.send(guest.Message{Kind: guest.KindRoom, Room: &guest.Room{Bytes: 4}})
	if err := <-st.over; err != nil {
		t.Fatal(err)
	}
	if got := st.sentOutput(); got != "a b\n" {
		t.Errorf("said %q", got)
	}
}

// awaitMore waits until what was sent is as a test wants it.
func (s *syncBuffer) awaitMore(ok func() bool) {
	for {
		s.mu.Lock()
		n := s.b.Len()
		s.mu.Unlock()
		if ok() {
			return
		}
		s.mu.Lock()
		for s.b.Len() == n {
			s.more.Wait()
		}
		s.mu.Unlock()
	}
}

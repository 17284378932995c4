package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// quietHost is a host for the supervisor that cannot start anything.
type quietHost struct{}

func (quietHost) killAll() {}

func (quietHost) stats(int64) *guest.Stats { return &guest.Stats{} }

func (quietHost) freeze() error { return nil }

func (quietHost) thaw() {}

func (quietHost) setTime(time.Time) (string, error) { return "", nil }

// prepare checks everything that a start message says, and changes nothing.
func (quietHost) prepare(s *guest.Start) (starter, []string, error) {
	if _, err := resolver(s.Network.DNS); err != nil {
		return nil, nil, err
	}
	for _, m := range s.Mounts {
		if err := checkVolumePath(m.Path); err != nil {
			return nil, nil, err
		}
	}
	return func(c command) (*process, error) {
		_, _, err := resolve(c.args, c.env, "/nonexistent")
		return nil, errors.Join(errors.New("nothing runs here"), err)
	}, nil, nil
}

// FuzzHost: whatever the host sends, init goes on or ends in an orderly way, and every line of its answer is a message.
func FuzzHost(f *testing.F) {
	for _, m := range []guest.Message{
		{Kind: guest.KindHello}, {Kind: guest.KindStop, Stop: &guest.Stop{GraceMillis: -1}},
		{Kind: guest.KindTime, Time: &guest.Clock{UnixNano: -1}}, {Kind: guest.KindAck, Ack: &guest.Ack{Seq: 1 << 63}},
		{Kind: guest.KindStart, Start: &guest.Start{
			Args: []string{"node", "x"}, Env: []string{"PATH=/bin", "="}, Port: -1, Mounts: []guest.Mount{{Serial: "vol-x", Path: "/data"}},
			Network: guest.Network{Address: "10.0.2.15/24", DNS: []string{"10.0.2.3"}},
		}},
		{Kind: guest.KindStart, Start: &guest.Start{Env: []string{"PATH=/bin"}, Steps: []guest.Step{
			{Args: []string{"echo", "a\nb"}, OK: 1, Fail: 0}, {Args: []string{"x"}, Env: []string{"PATH="}, Dir: "../..", OK: 2, Fail: 2},
			{Args: nil, OK: -1, Fail: 1 << 40},
		}}},
		{Kind: guest.KindStart, Start: &guest.Start{Env: []string{"PATH=/bin"}, Task: &guest.Task{Attached: true, LimitMillis: -1}, Steps: []guest.Step{
			{Args: []string{"echo", "a"}, OK: 1, Fail: 1}, {Args: []string{"x"}, OK: 2, Fail: 2},
		}}},
		{Kind: guest.KindInput, Input: &guest.Input{Data: make([]byte, guest.DataRoom), EOF: true}},
		{Kind: guest.KindRoom, Room: &guest.Room{Bytes: -1 << 62}}, {Kind: guest.KindSignal, Signal: &guest.Signal{Number: 1 << 40}},
		{Kind: guest.KindBooted, Booted: &guest.Booted{}}, {Kind: "weather"},
	} {
		b, err := guest.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append([]byte(`{"v":1,"kind":"hello"}`+"\n"), b...))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		out := newOutbox()
		s := newSupervisor(out, quietHost{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			readMessages(ctx, bytes.NewReader(sent), s.messages)
			select {
			case s.stops <- 0:
			case <-ctx.Done():
			}
		}()
		s.run() //nolint:errcheck // a start that is refused is an end in order
		cancel()
		var said bytes.Buffer
		w := guest.NewWriter(&said)
		waits := func() bool { // a task's input goes on beside this
			out.mu.Lock()
			defer out.mu.Unlock()
			return len(out.queue.messages) > 0
		}
		for waits() {
			if err := w.Write(out.next()); err != nil && !errors.Is(err, guest.ErrTooLong) {
				t.Fatal(err)
			}
		}
		r := guest.NewReader(&said)
		for {
			if _, err := r.Read(); errors.Is(err, io.EOF) {
				break
			}
		}
		if r.Skipped > 0 {
			t.Fatalf("%d lines of the answer are no message", r.Skipped)
		}
	})
}

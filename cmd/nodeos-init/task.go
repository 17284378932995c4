package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// This file is what the supervisor does for a task: see guest.Task.

// beginTask makes ready for t; nil: there is none.
func (s *supervisor) beginTask(t *guest.Task) (err error) {
	if t == nil {
		return nil
	}
	if t.LimitMillis > 0 {
		s.limit = time.After(time.Duration(t.LimitMillis) * time.Millisecond)
	}
	if !t.Attached {
		return nil
	}
	s.streams = newStreams(s.out)
	if t.Terminal != nil {
		if err = s.streams.openTerminal(*t.Terminal); err != nil {
			return fmt.Errorf("terminal: %w; `run --no-tty` does without one", err)
		}
	} else {
		if s.input, err = s.streams.openInput(); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	return nil
}

// terminal is what the processes of a task run on; nil: pipes.
func (s *supervisor) terminal() *os.File {
	if s.streams == nil {
		return nil
	}
	return s.streams.slave
}

// taskMessage handles a message for an attached task. Others come too early or too late, and are ignored.
func (s *supervisor) taskMessage(m guest.Message) {
	if s.streams == nil {
		return
	}
	switch m.Kind {
	case guest.KindInput:
		s.streams.received(*m.Input)
	case guest.KindRoom:
		s.streams.taken(m.Room.Bytes)
	case guest.KindResize:
		s.streams.resize(*m.Resize)
	case guest.KindSignal:
		if n := unix.Signal(m.Signal.Number); n > 0 && n <= unix.SIGSYS {
			s.signal(n)
		}
	}
}

// handOver waits for wait, beside the supervisor, which then does what follows.
func (s *supervisor) handOver(wait func(), then func() bool) {
	go func() {
		wait()
		s.streams.await(guest.DataRoom, 0)
		s.handed <- then
	}()
}

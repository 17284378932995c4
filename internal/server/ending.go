package server

import (
	"context"
	"errors"
	"sync"
	"time"
)

// farewell bounds how long the door's end waits for its commands: they are told, and have only to say so. A client
// that has taken its own right has as long for its goodbye (Recheck).
const farewell = 2 * time.Second

// ErrStopping is why the commands of a door that closes end.
var ErrStopping = errors.New("gitd is stopping")

// ending tells the commands that run that the door closes, and waits for their last words: a connection that is cut
// leaves a terminal with whatever was drawn on it.
type ending struct {
	begun   context.Context
	begin   context.CancelCauseFunc
	running sync.RWMutex // read-locked by each command
}

func newEnding() *ending {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &ending{begun: ctx, begin: cancel}
}

// command counts a command in, until done. Its context ends with ctx, with the door, and with the command.
func (e *ending) command(ctx context.Context) (inner context.Context, cancel context.CancelFunc, done func()) {
	inner, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.begun, func() { end(context.Cause(e.begun)) })
	e.running.RLock()
	return inner, func() { end(nil) }, func() {
		stop()
		end(nil)
		e.running.RUnlock()
	}
}

// why is why the door closes.
func why(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrStopping
}

// tell ends the commands and waits for them, a moment at most.
func (e *ending) tell(why error) {
	e.begin(why)
	all := make(chan struct{})
	go func() {
		defer close(all)
		e.running.Lock()
		defer e.running.Unlock()
	}()
	select {
	case <-all:
	case <-time.After(farewell):
	}
}

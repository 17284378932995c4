package server

import (
	"context"
	"errors"
	"testing"
)

// TestEnding: commands are told why they end, and the door waits for what they say then.
func TestEnding(t *testing.T) {
	e := newEnding()
	over, _, done := e.command(t.Context())
	done()
	if over.Err() == nil || errors.Is(context.Cause(over), ErrStopping) {
		t.Errorf("a command that is over: %v", context.Cause(over))
	}
	running, _, done := e.command(t.Context())
	said := make(chan struct{})
	go func() {
		<-running.Done()
		close(said)
		done()
	}()
	e.tell(ErrStopping)
	select {
	case <-said:
	default:
		t.Error("the door did not wait")
	}
	if !errors.Is(context.Cause(running), ErrStopping) {
		t.Errorf("it ended because of %v", context.Cause(running))
	}
	late, _, done := e.command(t.Context())
	defer done()
	<-late.Done()
}

package server

import (
	"testing"
	"time"
)

// TestInFlight: the wait ends with the last session, and not with another; without any there is none.
func TestInFlight(t *testing.T) {
	var f inFlight
	f.wait(time.Hour)
	first, second := f.begin(), f.begin()
	over := make(chan struct{})
	go func() {
		defer close(over)
		f.wait(time.Hour)
	}()
	first()
	select {
	case <-over:
		t.Error("it waits for one of two")
	default:
	}
	second()
	<-over
}

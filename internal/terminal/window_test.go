package terminal

import (
	"context"
	"testing"
	"time"
)

// TestSizesEnd: of each command with a terminal, a goroutine waited for ever for a size that nobody sent or took.
func TestSizesEnd(t *testing.T) {
	double := func(n int) int { return 2 * n }
	if Sizes(t.Context(), nil, double) != nil {
		t.Error("a window that keeps its size has later ones")
	}
	from := make(chan int, 1)
	ctx, cancel := context.WithCancel(t.Context())
	to := Sizes(ctx, from, double)
	from <- 40
	if got := <-to; got != 80 {
		t.Errorf("got %d", got)
	}
	ended := func(what string) {
		t.Helper()
		select {
		case _, ok := <-to:
			if ok {
				t.Errorf("%s: one more size", what)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: it does not end", what)
		}
	}
	cancel() // and from stays open
	ended("the command has ended")
	to = Sizes(t.Context(), from, double)
	close(from)
	ended("there are no more sizes")
}

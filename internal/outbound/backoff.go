package outbound

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is the pauses between attempts: from one second, doubled up to the longest, each by chance shortened by up to
// a half, so that many senders do not come back to a receiver at once.
type Backoff struct {
	Longest time.Duration
	last    time.Duration
}

// Next is the next pause. least is what the receiver has asked for; 0: nothing.
func (b *Backoff) Next(least time.Duration) time.Duration {
	b.last = min(max(2*b.last, time.Second), b.Longest)
	return max(b.last-rand.N(b.last/2), min(least, maxAsked)) //nolint:gosec // G404: nobody gains by guessing a pause
}

// maxAsked is the longest pause that a receiver can ask for.
const maxAsked = 5 * time.Minute

// Reset begins again.
func (b *Backoff) Reset() { b.last = 0 }

// Pause waits, and reports whether ctx is still on.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

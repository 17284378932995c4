// Package background is the work that a daemon does beside the requests of its clients.
//
// It owns when such work begins, how it is tried again, and that the daemon waits for its end. It does not own what the
// work is.
package background

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The first and the longest pause between two tries of what must succeed in the end.
const (
	FirstPause = time.Second
	mostPause  = time.Minute
)

// Work is what a daemon does beside the requests of its clients. It ends when the daemon does, and not when a client
// hangs up: a push whose client is gone goes on. Its methods are safe for concurrent use.
type Work struct {
	life context.Context // of the daemon, for whatever outlives a request
	end  context.CancelFunc

	mu sync.Mutex // holds off Begin while Close begins
	wg sync.WaitGroup
}

// New begins with nothing to do.
func New() *Work {
	life, end := context.WithCancel(context.Background())
	return &Work{life: life, end: end}
}

// Context ends when Close is called.
func (w *Work) Context() context.Context { return w.life }

// Begin counts a piece of work that Close waits for, or refuses it because the daemon is stopping.
func (w *Work) Begin() (done func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.life.Err(); err != nil {
		return nil, err
	}
	w.wg.Add(1)
	return w.wg.Done, nil
}

// Go runs f in the background, until it ends or the daemon does. It reports whether f runs: it does not when the
// daemon is stopping.
func (w *Work) Go(f func(ctx context.Context)) bool {
	done, err := w.Begin()
	if err != nil {
		return false
	}
	go func() {
		defer done()
		f(w.life)
	}()
	return true
}

// Close ends all work and waits for it.
func (w *Work) Close() {
	w.mu.Lock()
	w.end()
	w.mu.Unlock()
	w.wg.Wait()
}

// Retry calls write until it succeeds: a full disk must not leave a release in a state that nobody moves it out of.
// It returns after the first try and goes on in the background.
func (w *Work) Retry(log *slog.Logger, what string, write func(ctx context.Context) error) {
	err := write(context.WithoutCancel(w.life))
	if err == nil {
		return
	}
	log.Error("ledger cannot be written", "what", what, "error", err)
	w.Go(func(ctx context.Context) {
		for n := 1; err != nil; n++ {
			if Sleep(ctx, Pause(n)) != nil {
				return // the next start finds it unfinished
			}
			err = write(ctx)
		}
		log.Info("ledger written at last", "what", what)
	})
}

// Pause is how long to wait before the nth try in succession: from FirstPause, doubled each time, to a minute.
func Pause(n int) time.Duration {
	wait := FirstPause
	for range min(n, 10) - 1 {
		wait *= 2
	}
	return min(wait, mostPause)
}

// Sleep waits, or returns why ctx ended before.
func Sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package applog

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
)

// What may wait for a follower. It loses lines that come when so many wait, or so long ones.
const (
	maxBehind = 1024
	maxBytes  = 512 << 10
)

// follower is one live reader: lines wait here until it takes them.
type follower struct {
	wake chan struct{} // holds a token when something is new

	mu      sync.Mutex
	lines   []core.Line
	bytes   int // of their texts
	skipped int // lines that came after those and did not fit
}

func newFollower() *follower { return &follower{wake: make(chan struct{}, 1)} }

// offer adds l to the lines that wait, or counts it as skipped. It never blocks.
func (f *follower) offer(l core.Line) {
	f.mu.Lock()
	if len(f.lines) < maxBehind && f.bytes < maxBytes {
		f.lines = append(f.lines, l)
		f.bytes += len(l.Text)
	} else {
		f.skipped++
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns the lines that wait. If lines were skipped, the last line says how many.
func (f *follower) take() []core.Line {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.lines
	f.lines, f.bytes = nil, 0
	if f.skipped > 0 {
		text := fmt.Sprintf("%d lines skipped here: this reader is too slow; `logs` without following has them", f.skipped)
		lines = append(lines, note(lines[len(lines)-1].Release, text))
		f.skipped = 0
	}
	return lines
}

// pump sends what history yields and then each new line, until ctx or done ends. It has one line of the history in
// memory: whoever asks for many may read slowly.
func (f *follower) pump(ctx context.Context, done <-chan struct{}, history iter.Seq2[core.Line, error], out chan<- core.Line) {
	send := func(l core.Line) bool {
		select {
		case out <- l:
			return true
		case <-ctx.Done():
		case <-done:
		}
		return false
	}
	for l, err := range history {
		if err != nil {
			l = note(l.Release, "older lines cannot be read: "+err.Error())
		}
		if !send(l) {
			return
		}
	}
	for {
		for _, l := range f.take() {
			if !send(l) {
				return
			}
		}
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		case <-done:
			return
		}
	}
}

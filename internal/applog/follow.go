package applog

import (
	"context"
	"fmt"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
)

// maxBehind is how many lines may wait for a follower. It loses lines that come when so many wait.
const maxBehind = 1024

// follower is one live reader: lines wait here until it takes them.
type follower struct {
	wake chan struct{} // holds a token when something is new

	mu      sync.Mutex
	lines   []core.Line
	skipped int // lines that came after those and did not fit
}

func newFollower() *follower { return &follower{wake: make(chan struct{}, 1)} }

// offer adds l to the lines that wait, or counts it as skipped. It never blocks.
func (f *follower) offer(l core.Line) {
	f.mu.Lock()
	if len(f.lines) < maxBehind {
		f.lines = append(f.lines, l)
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
	f.lines = nil
	if f.skipped > 0 {
		text := fmt.Sprintf("%d lines skipped here: this reader is too slow; `logs` without following has them", f.skipped)
		lines = append(lines, note(lines[len(lines)-1].Release, text))
		f.skipped = 0
	}
	return lines
}

// history is the last n lines before f follows, and a line that says so if there are more of them than it may have.
func (s *stream) history(n int, f *follower) ([]core.Line, error) {
	parts, err := s.open(f)
	if err != nil {
		return nil, err
	}
	defer closeParts(parts)
	var all []core.Line
	for l, err := range lines(parts, min(n, maxHistory), nil) {
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	if n > maxHistory && len(all) == maxHistory {
		text := fmt.Sprintf("older lines are left out here: `logs` without following has more than %d", maxHistory)
		all = append([]core.Line{note(all[0].Release, text)}, all...)
	}
	return all, nil
}

// pump sends history and then each new line, until ctx or done ends.
func (f *follower) pump(ctx context.Context, done <-chan struct{}, history []core.Line, out chan<- core.Line) {
	for lines := history; ; lines = f.take() {
		for _, l := range lines {
			select {
			case out <- l:
			case <-ctx.Done():
				return
			case <-done:
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

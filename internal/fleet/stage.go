package fleet

import (
	"context"
	"errors"
	"sync"
)

// errYielded: a revival was broken off for somebody who does more.
var errYielded = errors.New("it made way for another change of the app")

// stage is held by whoever changes which machine serves an app: a swap for
// its last moment, a start or a stop. It is apart from the queue, so that a
// machine that was lost during a long build is replaced during that build.
type stage struct {
	slot chan struct{} // holds one token while the stage is free

	mu     sync.Mutex
	wanted int                // who waits in take
	cancel context.CancelFunc // ends the revival that has the stage; nil: none has
}

func newStage() *stage {
	s := &stage{slot: make(chan struct{}, 1)}
	s.slot <- struct{}{}
	return s
}

// take waits for the stage. A revival that has it is broken off.
func (s *stage) take(ctx context.Context) (release func(), err error) {
	s.want(1)
	defer s.want(-1)
	select {
	case <-s.slot:
		return func() { s.slot <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *stage) want(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted += n
	if n > 0 && s.cancel != nil {
		s.cancel()
	}
}

// lend gives the stage to a revival. The context it returns ends when
// somebody else wants the stage; then release is due soon.
func (s *stage) lend(ctx context.Context) (lent context.Context, release func(), err error) {
	select {
	case <-s.slot:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted > 0 {
		s.slot <- struct{}{}
		return nil, nil, errYielded
	}
	lent, s.cancel = context.WithCancel(ctx)
	end := s.cancel
	return lent, func() {
		s.mu.Lock()
		s.cancel = nil
		s.mu.Unlock()
		end()
		s.slot <- struct{}{}
	}, nil
}

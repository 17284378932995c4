package fleet

import (
	"context"
	"errors"
	"sync"
)

// errYielded says that a revival was interrupted because somebody else wanted the stage.
var errYielded = errors.New("it made way for another change of the app")

// stage is held by whoever changes which machine serves an app: a swap during its last moment, a start, a stop or a
// revival. It is not the queue of deployments, so that a machine which is lost during a long build is replaced during
// that build.
type stage struct {
	slot chan struct{} // holds one token while the stage is free

	mu     sync.Mutex
	wanted int                // how many callers wait in take
	cancel context.CancelFunc // ends the revival that has the stage; nil: no revival has it
}

func newStage() *stage {
	s := &stage{slot: make(chan struct{}, 1)}
	s.slot <- struct{}{}
	return s
}

// take waits for the stage. If a revival has it, the revival is interrupted.
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

// lend gives the stage to a revival. The returned context ends when somebody else wants the stage; the revival must
// then call release soon.
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

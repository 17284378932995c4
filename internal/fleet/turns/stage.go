package turns

import (
	"context"
	"errors"
	"sync"
)

// ErrYielded says that a revival was interrupted because somebody else wanted the stage.
var ErrYielded = errors.New("it made way for another change of the app")

// Stage is held by whoever changes which machine serves an app: a swap during its last moment, a start, a stop or a
// revival. It is not the queue of deployments, so that a machine which is lost during a long build is replaced during
// that build.
type Stage struct {
	slot chan struct{} // holds one token while the stage is free

	mu     sync.Mutex
	wanted int                // how many callers wait in Take
	cancel context.CancelFunc // ends the revival that has the stage; nil: no revival has it
}

// NewStage makes a stage that is free.
func NewStage() *Stage {
	s := &Stage{slot: make(chan struct{}, 1)}
	s.slot <- struct{}{}
	return s
}

// Take waits for the stage. If a revival has it, the revival is interrupted.
func (s *Stage) Take(ctx context.Context) (release func(), err error) {
	s.want(1)
	defer s.want(-1)
	select {
	case <-s.slot:
		return func() { s.slot <- struct{}{} }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Try is Take for callers that do not wait: ok is false if somebody has the stage.
func (s *Stage) Try() (release func(), ok bool) {
	select {
	case <-s.slot:
		return func() { s.slot <- struct{}{} }, true
	default:
		return nil, false
	}
}

func (s *Stage) want(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted += n
	if n > 0 && s.cancel != nil {
		s.cancel()
	}
}

// Lend gives the stage to a revival. The returned context ends when somebody else wants the stage; the revival must
// then call release soon.
func (s *Stage) Lend(ctx context.Context) (lent context.Context, release func(), err error) {
	select {
	case <-s.slot:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wanted > 0 {
		s.slot <- struct{}{}
		return nil, nil, ErrYielded
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

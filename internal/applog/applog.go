// Package applog owns what the apps print: the files on disk, their rotation,
// and the readers that follow them live. It implements deploy.Output.
//
// It does not own how a line leaves a machine, nor how it is shown to people.
package applog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Store keeps the output of all apps, one file each. Its methods are safe for
// concurrent use.
type Store struct {
	path func(app string) string

	mu      sync.RWMutex
	closed  bool
	streams map[string]*stream

	writers   sync.WaitGroup
	done      chan struct{} // closed by Close: followers end
	followers sync.WaitGroup
}

var errClosed = errors.New("the log store is closed")

// Open keeps each app's output at path(app), whose folder must exist. Files
// are made when an app first says something.
func Open(path func(app string) string) *Store {
	return &Store{path: path, streams: map[string]*stream{}, done: make(chan struct{})}
}

// Append implements deploy.Output. It puts l into a bounded queue and returns:
// neither a slow disk nor a slow follower holds up the caller. What does not
// fit is counted, and the count is stored in its place. After Close, and for
// a name that no app can have, it does nothing.
func (s *Store) Append(app string, l core.Line) {
	l = clean(l)
	st, err := s.stream(app)
	if err != nil {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return
	}
	if st.enqueue(l) {
		s.writers.Go(st.writeQueue)
	}
}

// Tail returns the last n lines of app, the oldest first. Lines that were
// appended before are among them. An app that said nothing has none.
func (s *Store) Tail(app string, n int) ([]core.Line, error) {
	st, err := s.stream(app)
	if err != nil {
		return nil, err
	}
	return st.tail(n, nil)
}

// TailRelease is Tail for what one release of app said. It reads the whole
// log, some 30 MiB at most.
func (s *Store) TailRelease(app string, release, n int) ([]core.Line, error) {
	st, err := s.stream(app)
	if err != nil {
		return nil, err
	}
	all, err := st.tail(math.MaxInt, nil)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(l core.Line) bool { return l.Release != release })
	return all[max(0, len(all)-max(n, 0)):], nil
}

// Follow sends the last n lines of app, the oldest first, and then each line
// as it comes, across all of the app's machines. No line is missing or twice
// between the two. A reader that is too slow loses lines and gets one that
// says how many. The channel is closed when ctx or the store ends; the
// reader must see to it that one of them does.
func (s *Store) Follow(ctx context.Context, app string, n int) (<-chan core.Line, error) {
	st, err := s.stream(app)
	if err != nil {
		return nil, err
	}
	f := newFollower()
	history, err := st.tail(n, f)
	if err != nil {
		st.leave(f)
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		st.leave(f)
		return nil, errClosed
	}
	out := make(chan core.Line)
	s.followers.Go(func() {
		defer close(out)
		defer st.leave(f)
		f.pump(ctx, s.done, history, out)
	})
	return out, nil
}

// Close writes what is queued, ends the followers and closes the files.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.done)
	s.followers.Wait()
	s.writers.Wait()
	var errs []error
	for _, st := range s.streams {
		errs = append(errs, st.file.Close())
	}
	return errors.Join(errs...)
}

// stream finds or makes the stream of app.
func (s *Store) stream(app string) (*stream, error) {
	s.mu.RLock()
	st := s.streams[app]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	if err := core.CheckName(app); err != nil { // it becomes a path
		return nil, fmt.Errorf("logs: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.streams[app] == nil {
		s.streams[app] = newStream(s.path(app))
	}
	return s.streams[app], nil
}

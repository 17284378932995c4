// Package applog keeps what the apps and their deployments print. It implements engine.Output and engine.BuildLogs.
//
// It owns the files on disk, their rotation, and the readers that follow an app's output live. It does not own how a
// line leaves a machine, nor how it is shown to people.
package applog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Store keeps the output of all apps, one file each. Its methods are safe for
// concurrent use.
type Store struct {
	path func(app string) string

	// Reader is told of what happens to the logs; set it before the first line. It must neither wait nor
	// call the Store.
	Reader Reader

	mu      sync.RWMutex
	closed  bool
	streams map[string]*stream

	writers   sync.WaitGroup
	done      chan struct{} // closed by Close, to end the followers
	followers sync.WaitGroup
}

// Reader reads logs by and by, with Read.
type Reader interface {
	// Written: there are new lines of app.
	Written(app string)
	// Renamed: what was from's is to's.
	Renamed(from, to string)
	// Removed: nothing is there any more.
	Removed(app string)
}

// nobody is the Reader of a Store that has none.
type nobody struct{}

func (nobody) Written(string)         {}
func (nobody) Renamed(string, string) {}
func (nobody) Removed(string)         {}

var errClosed = errors.New("the log store is closed")

// Open returns a Store that keeps the output of each app in the file path(app), whose folder must exist. The file is
// made when the app prints something for the first time.
func Open(path func(app string) string) *Store {
	return &Store{path: path, Reader: nobody{}, streams: map[string]*stream{}, done: make(chan struct{})}
}

// Append implements fleet.Output. It puts l into a bounded queue and returns: neither a slow disk nor a slow follower
// holds up the caller. Lines that do not fit are counted, and a line that says how many is stored in their place. After
// Close, and for a name that no app can have, Append does nothing.
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

// Tail yields the last n lines of app for which of is true, the oldest first; nil is true of all. Every line that was
// appended before the call counts. An app that has printed nothing has no lines. After an error there are no more.
func (s *Store) Tail(app string, n int, of func(core.Line) bool) iter.Seq2[core.Line, error] {
	return func(yield func(core.Line, error) bool) {
		var parts []part
		st, err := s.stream(app)
		if err == nil {
			parts, err = st.open(nil)
		}
		if err != nil {
			yield(core.Line{}, err)
			return
		}
		defer closeParts(parts)
		lines(parts, n, of)(yield)
	}
}

// Follow sends the last n lines of app, the oldest first, and then each new line, from all of the app's machines.
// Between the two, no line is missing and none is sent twice. A reader that is too slow loses lines, and gets one line
// that says how many. The channel is closed when ctx or the store ends. The caller must make sure that one of them
// does: until then a goroutine waits for the reader.
func (s *Store) Follow(ctx context.Context, app string, n int) (<-chan core.Line, error) {
	st, err := s.stream(app)
	if err != nil {
		return nil, err
	}
	f := newFollower()
	parts, err := st.open(f)
	if err != nil {
		st.leave(f)
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		closeParts(parts)
		st.leave(f)
		return nil, errClosed
	}
	out := make(chan core.Line)
	s.followers.Go(func() {
		defer close(out)
		defer st.leave(f)
		f.pump(ctx, s.done, once(parts, n), out)
	})
	return out, nil
}

// once yields the last n lines of parts, and closes them.
func once(parts []part, n int) iter.Seq2[core.Line, error] {
	return func(yield func(core.Line, error) bool) {
		defer closeParts(parts)
		lines(parts, n, nil)(yield)
	}
}

// Close ends the followers, writes what is queued and closes the files.
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
	if err := core.CheckName(app); err != nil { // the name becomes part of a path
		return nil, fmt.Errorf("logs: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.streams[app] == nil {
		s.streams[app] = newStream(s.path(app), func() { s.Reader.Written(app) })
	}
	return s.streams[app], nil
}

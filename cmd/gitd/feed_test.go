package main

import (
	"fmt"
	"sync"
	"time"
)

// feed is what comes from one gitd, in its order. A test waits for an item that matches, or makes the sender of an item
// wait.
type feed[T any] struct {
	mu    sync.Mutex
	all   []T
	more  chan struct{} // closed and replaced at each new item
	traps []*trap[T]
}

// trap stops the sender of the first item that matches.
type trap[T any] struct {
	what  string // for people
	match func(T) bool
	hit   chan struct{} // closed when the item has come
	free  chan struct{} // closed by release
	once  sync.Once
}

func newFeed[T any]() *feed[T] { return &feed[T]{more: make(chan struct{})} }

// add stores an item and returns the trap that it has triggered, or nil.
func (f *feed[T]) add(x T) *trap[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, x)
	close(f.more)
	f.more = make(chan struct{})
	for i, tr := range f.traps {
		if tr.match(x) {
			f.traps = append(f.traps[:i], f.traps[i+1:]...)
			close(tr.hit)
			return tr
		}
	}
	return nil
}

// trap arms a trap for the next item that matches.
func (f *feed[T]) trap(what string, match func(T) bool) *trap[T] {
	tr := &trap[T]{what: what, match: match, hit: make(chan struct{}), free: make(chan struct{})}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.traps = append(f.traps, tr)
	return tr
}

// release lets the sender go on, or removes the trap if nothing has triggered it.
func (f *feed[T]) release(tr *trap[T]) {
	tr.once.Do(func() { close(tr.free) })
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range f.traps {
		if other == tr {
			f.traps = append(f.traps[:i], f.traps[i+1:]...)
			return
		}
	}
}

// freeAll lets every sender go on that is stopped, and removes all traps.
func (f *feed[T]) freeAll() {
	f.mu.Lock()
	traps := f.traps
	f.traps = nil
	f.mu.Unlock()
	for _, tr := range traps {
		tr.once.Do(func() { close(tr.free) })
	}
}

// mark returns the number of items so far, for find and wait.
func (f *feed[T]) mark() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.all)
}

// find returns the first item after mark that matches, and whether there is one. If there is none, it also returns a
// channel that is closed at the next item.
func (f *feed[T]) find(match func(T) bool, mark int) (x T, ok bool, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.all[mark:] {
		if match(x) {
			return x, true, nil
		}
	}
	return x, false, f.more
}

// wait returns the first item after mark that matches. It fails if over is closed first, or after eventLimit.
func (f *feed[T]) wait(what string, match func(T) bool, mark int, over <-chan struct{}) (T, error) {
	limit := time.After(eventLimit)
	for {
		x, ok, more := f.find(match, mark)
		if ok {
			return x, nil
		}
		select {
		case <-more:
		case <-over:
			if x, ok, _ := f.find(match, mark); ok {
				return x, nil
			}
			return x, fmt.Errorf("no %s, and none will come", what)
		case <-limit:
			return x, fmt.Errorf("no %s within %s", what, eventLimit)
		}
	}
}

// next returns a channel that is closed at the next item.
func (f *feed[T]) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.more
}

// last returns the last n items, for the report of a failure.
func (f *feed[T]) last(n int) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]T(nil), f.all[max(0, len(f.all)-n):]...)
}

package deploy

import (
	"context"
	"sync"
	"time"
)

// locks is the queue of each app: one deployment at a time, in the order of
// arrival.
type locks struct {
	mu   sync.Mutex
	apps map[string]*appLock
}

type appLock struct {
	slot   chan struct{} // holds one token while the app is free; receivers queue in order
	mu     sync.Mutex
	holder string // what holds it, for those who wait
	since  time.Time
}

func (l *locks) get(app string) *appLock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.apps == nil {
		l.apps = map[string]*appLock{}
	}
	a, ok := l.apps[app]
	if !ok {
		a = &appLock{slot: make(chan struct{}, 1)}
		a.slot <- struct{}{}
		l.apps[app] = a
	}
	return a
}

// acquire waits for app's lock. wait is called once if it is taken, with
// what holds it and since when.
func (l *locks) acquire(ctx context.Context, app, who string, wait func(holder string, since time.Time)) (release func(), err error) {
	a := l.get(app)
	select {
	case <-a.slot:
		return a.held(who), nil
	default:
	}
	if wait != nil {
		a.mu.Lock()
		holder, since := a.holder, a.since
		a.mu.Unlock()
		wait(holder, since)
	}
	select {
	case <-a.slot:
		return a.held(who), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// try takes app's lock if it is free.
func (l *locks) try(app, who string) (release func(), ok bool) {
	a := l.get(app)
	select {
	case <-a.slot:
		return a.held(who), true
	default:
		return nil, false
	}
}

func (a *appLock) held(who string) func() {
	a.mu.Lock()
	a.holder, a.since = who, time.Now()
	a.mu.Unlock()
	return func() { a.slot <- struct{}{} }
}

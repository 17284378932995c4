package proxy

import (
	"maps"
	"sync"
)

// table says where each app's requests go, and which app each host belongs to.
type table struct {
	mu    sync.RWMutex
	apps  map[string]*entry
	names map[string]string // host → app
}

// entry is one app: its present place, and what is kept when the place changes.
type entry struct {
	route
	count *counter
}

// route is the place of an app: a backend, or a hold, or the reason why there
// is neither.
type route struct {
	backend *backend
	hold    *hold
	reason  string
}

func newTable() table {
	return table{apps: map[string]*entry{}, names: map[string]string{}}
}

// acquire finds the place of app and counts a request on its backend, if it
// has one; the caller must release it. The count is taken under the table's
// lock, so a backend that was replaced gets no request that its drain would
// not see.
func (t *table) acquire(app string) (r route, known bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, known := t.apps[app]
	if !known {
		return route{}, false
	}
	if e.backend != nil {
		e.backend.acquire()
	}
	return e.route, true
}

// counter returns the counter of app, or nil if app is not known.
func (t *table) counter(app string) *counter {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e, ok := t.apps[app]; ok {
		return e.count
	}
	return nil
}

// set gives app another place and returns the backend that was replaced, or nil. Requests that were held go on to the
// new place.
func (t *table) set(app string, r route) *backend {
	t.mu.Lock()
	e, ok := t.apps[app]
	if !ok {
		e = &entry{count: &counter{}}
		t.apps[app] = e
	}
	old := e.route
	e.route = r
	t.mu.Unlock()
	return old.leave()
}

// remove forgets app and its names.
func (t *table) remove(app string) {
	t.mu.Lock()
	e, ok := t.apps[app]
	t.dropNames(app)
	delete(t.apps, app)
	t.mu.Unlock()
	if ok {
		e.leave()
	}
}

// leave ends the hold of r, retires its backend and returns that. It is called once, when r has left the table.
func (r route) leave() *backend {
	if r.hold != nil {
		r.hold.end()
	}
	if r.backend != nil {
		r.backend.retire()
	}
	return r.backend
}

// byName finds the app that has host beside its own name.
func (t *table) byName(host string) (app string, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	app, ok = t.names[host]
	return app, ok
}

// setNames gives app those of hosts that belong to no other app, in place of the hosts that it had, and returns the
// others.
func (t *table) setNames(app string, hosts []string) (taken []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropNames(app)
	for _, h := range hosts {
		if owner, ok := t.names[h]; ok && owner != app {
			taken = append(taken, h)
			continue
		}
		t.names[h] = app
	}
	return taken
}

func (t *table) dropNames(app string) {
	maps.DeleteFunc(t.names, func(_, owner string) bool { return owner == app })
}

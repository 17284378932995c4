package proxy

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/proxy/guard"
)

// table says where each app's requests go, and which app each host belongs to.
type table struct {
	mu    sync.RWMutex
	apps  map[string]*entry
	names map[string]string       // host → app
	rules map[string]*guard.Guard // of apps for which there were rules, also before the app has an entry
}

// entry is one app: its present place, and what is kept when the place changes.
type entry struct {
	route
	count *counter
	turn  atomic.Uint32 // of the backends with equally many requests
}

// route is the place of an app: backends, or a hold, or the reason why there
// is neither.
type route struct {
	backends []*backend
	hold     *hold
	reason   string
}

func newTable() table {
	return table{apps: map[string]*entry{}, names: map[string]string{}, rules: map[string]*guard.Guard{}}
}

// acquire finds the place of app and counts a request on one of its backends, if it has any; the caller must release
// that. The count is taken under the table's lock, so a backend that was replaced gets no request that its drain would
// not see. A backend of tried is chosen only if there is no other.
func (t *table) acquire(app string, tried []*backend) (r route, b *backend, known bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e, known := t.apps[app]
	if !known {
		return route{}, nil, false
	}
	if b = e.pick(tried); b != nil {
		b.acquire()
	}
	return e.route, b, true
}

// lastChoice is more than the requests that run on any backend.
const lastChoice = 1 << 30

// pick chooses the backend on which the fewest requests run; of several, each in its turn. So requests one after the
// other go round, and a machine that answers slowly gets fewer.
func (e *entry) pick(tried []*backend) (best *backend) {
	if len(e.backends) < 2 {
		for _, b := range e.backends {
			best = b
		}
		return best
	}
	fewest, first := 0, int(e.turn.Add(1))
	for i := range e.backends {
		b := e.backends[(first+i)%len(e.backends)]
		n := b.load()
		if slices.Contains(tried, b) {
			n += lastChoice
		}
		if best == nil || n < fewest {
			best, fewest = b, n
		}
	}
	return best
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

// door returns what a request of app passes: its counter, nil if app is not known, and its guard, nil if it has none.
func (t *table) door(app string) (*counter, *guard.Guard) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e, ok := t.apps[app]; ok {
		return e.count, t.rules[app]
	}
	return nil, nil
}

// guards returns the guard of each app that has one.
func (t *table) guards() map[string]*guard.Guard {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return maps.Clone(t.rules)
}

// setRules gives app its rules.
func (t *table) setRules(app string, s rules.Set, hashing *guard.Hashing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.rules[app]
	if g == nil && s.Empty() {
		return
	}
	if g == nil {
		g = guard.New(hashing)
		t.rules[app] = g
	}
	g.Set(s)
}

// set gives app another place, which change makes of the old one, and returns the backends that are not in it any more.
// Requests that were held go on to the new place.
func (t *table) set(app string, change func(old route) route) (left []*backend) {
	t.mu.Lock()
	e, ok := t.apps[app]
	if !ok {
		e = &entry{count: &counter{}}
		t.apps[app] = e
	}
	old := e.route
	e.route = change(old)
	stay := e.backends
	t.mu.Unlock()
	return old.leave(stay)
}

// sleeps reports whether the place of app is that of one that sleeps.
func (t *table) sleeps(app string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.apps[app]
	return e != nil && e.hold != nil && e.hold.knock != nil
}

// becomes is a change of a place whatever it was.
func becomes(r route) func(route) route { return func(route) route { return r } }

// remove forgets app and its names.
func (t *table) remove(app string) {
	t.mu.Lock()
	e, ok := t.apps[app]
	t.dropNames(app)
	delete(t.apps, app)
	delete(t.rules, app)
	t.mu.Unlock()
	if ok {
		e.leave(nil)
	}
}

// leave ends the hold of r, retires its backends, except those that stay, and returns them. It is called once, when r
// has left the table.
func (r route) leave(stay []*backend) (left []*backend) {
	if r.hold != nil {
		r.hold.end()
	}
	for _, b := range r.backends {
		if !slices.Contains(stay, b) {
			b.retire()
			left = append(left, b)
		}
	}
	return left
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

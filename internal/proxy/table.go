package proxy

import "sync"

// table says where each app's requests go.
type table struct {
	mu   sync.RWMutex
	apps map[string]route
}

// route is the place of one app: a backend, or the reason why there is none.
type route struct {
	backend *backend
	reason  string
}

// acquire finds the backend of app and counts a request on it; the caller
// must release it. The count is taken under the table's lock, so a backend
// that was replaced gets no request that its drain would not see.
func (t *table) acquire(app string) (b *backend, reason string, known bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	r, known := t.apps[app]
	if r.backend != nil {
		r.backend.acquire()
	}
	return r.backend, r.reason, known
}

// set gives app another place and returns the backend that was replaced, or
// nil.
func (t *table) set(app string, r route) *backend {
	t.mu.Lock()
	old := t.apps[app].backend
	t.apps[app] = r
	t.mu.Unlock()
	return retired(old)
}

// remove forgets app.
func (t *table) remove(app string) {
	t.mu.Lock()
	old := t.apps[app].backend
	delete(t.apps, app)
	t.mu.Unlock()
	retired(old)
}

func retired(b *backend) *backend {
	if b != nil {
		b.retire()
	}
	return b
}

package server

import "sync"

// pushes knows the pushes under way. A push makes the app that it names. If
// nothing comes of it, nor of others that have begun meanwhile, the app is to
// go with the last of them.
type pushes struct {
	mu   sync.Mutex
	apps map[string]*underWay
}

// underWay are the pushes to one app.
type underWay struct {
	n int // guarded by pushes.mu

	mu   sync.Mutex // held while the app is made or removed
	made bool       // by one of them
}

// begin counts a push to app in, and has prepare make what it needs. end must
// be called when the push is over, whatever prepare returned: it calls discard
// if the push was the last one to an app that one of them has made.
func (p *pushes) begin(app string, prepare func() (made bool, err error)) (end func(discard func()), err error) {
	u := p.enter(app)
	u.mu.Lock()
	defer u.mu.Unlock()
	made, err := prepare()
	u.made = u.made || made
	return func(discard func()) {
		u.mu.Lock()
		defer u.mu.Unlock()
		if p.last(app) && u.made {
			discard()
		}
		p.leave(app)
	}, err
}

func (p *pushes) enter(app string) *underWay {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.apps == nil {
		p.apps = map[string]*underWay{}
	}
	if p.apps[app] == nil {
		p.apps[app] = &underWay{}
	}
	p.apps[app].n++
	return p.apps[app]
}

// last reports whether only one push to app is under way.
func (p *pushes) last(app string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.apps[app].n == 1
}

func (p *pushes) leave(app string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.apps[app].n--; p.apps[app].n == 0 {
		delete(p.apps, app)
	}
}

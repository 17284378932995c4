package tcp

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core/offer"
)

// place is one app. It is guarded by Router.mu.
type place struct {
	spot

	offer offer.Offer // of the release that serves, or has served last
	turn  int         // of the backends with equally many connections
}

// spot is where connections to an app go: to backends, or nowhere yet, or nowhere, with a reason.
type spot struct {
	backends []*backend
	hold     *hold
	reason   string
}

// hold is the spot of an app whose next machine is being started, or which sleeps.
type hold struct {
	limit time.Duration
	ended chan struct{} // closed when the app has another spot
	knock func()        // called when a connection waits; nil: nobody is
}

func newHold(limit time.Duration, knock func()) *hold {
	if call := knock; call != nil {
		knock = sync.OnceFunc(func() { go call() })
	}
	return &hold{limit, make(chan struct{}), knock}
}

// become gives the app another spot, and returns the backends that are not in it any more.
func (p *place) become(change func(old spot) spot) (left []*backend) {
	old := p.spot
	p.spot = change(old)
	if old.hold != nil {
		close(old.hold.ended)
	}
	for _, b := range old.backends {
		if !slices.Contains(p.backends, b) {
			b.retire()
			left = append(left, b)
		}
	}
	return left
}

// pick chooses the backend with the fewest connections that was not tried, and counts one there; nil: there is none.
func (p *place) pick(tried []*backend) (best *backend) {
	fewest := 0
	p.turn++
	for i := range p.backends {
		b := p.backends[(p.turn+i)%len(p.backends)]
		if slices.Contains(tried, b) {
			continue
		}
		if n := b.load(); best == nil || n < fewest {
			best, fewest = b, n
		}
	}
	if best != nil {
		best.acquire()
	}
	return best
}

// backend is one machine.
type backend struct {
	addr string
	life context.Context // ends with cut
	cut  context.CancelFunc

	mu       sync.Mutex
	active   int // connections, those that are being made included
	sessions map[*session]bool
	retired  bool
	idle     chan struct{} // closed when retired and nothing is active
}

func newBackend(addr string) *backend {
	b := &backend{addr: addr, sessions: map[*session]bool{}, idle: make(chan struct{})}
	b.life, b.cut = context.WithCancel(context.Background())
	return b
}

func (b *backend) load() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.active
}

// acquire is called by pick alone, for a backend that is in its place: so a drain sees each connection.
func (b *backend) acquire() {
	b.mu.Lock()
	b.active++
	b.mu.Unlock()
}

func (b *backend) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.active--
	b.over()
}

func (b *backend) retire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retired = true
	b.over()
}

// over closes idle if nothing is left; b.mu is held.
func (b *backend) over() {
	if b.retired && b.active == 0 {
		b.cut()
		close(b.idle)
	}
}

// begin enters a session, end takes it out.
func (b *backend) begin(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[s] = true
}

func (b *backend) end(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, s)
}

// lookEvery is how often a drain looks for connections that wait for nothing.
const lookEvery = 250 * time.Millisecond

// drain waits until a retired backend has no connection. It closes those that wait for nothing, as pools of clients
// keep them, and, when ctx ends, the others.
func (b *backend) drain(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-b.idle:
			return
		case <-look.C:
			b.closeQuiet()
		case <-ctx.Done():
			b.cut()
			<-b.idle
			return
		}
	}
}

func (b *backend) closeQuiet() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.sessions {
		if s.quiet() {
			s.cut()
		}
	}
}

// draining waits for the connections on all backends that have left, side by side.
func draining(left []*backend) func(ctx context.Context) {
	return func(ctx context.Context) {
		var all sync.WaitGroup
		for _, b := range left {
			all.Go(func() { b.drain(ctx) })
		}
		all.Wait()
	}
}

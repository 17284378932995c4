package tcp

import (
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/admit"
)

// Limits are how many connections there may be at once. Each takes two of gitd's descriptors.
type Limits struct {
	Conns     int // of one app; 0: 512
	ConnsFrom int // of one app, from one address or one linked app; 0: half of Conns

	Idle time.Duration // after which a connection from outside ends through which nothing came; 0: never

	all int // of all apps
}

// limitsOf fills in what l leaves open, for a process that may have so many files open: an eighth of them is for TCP.
func limitsOf(l Limits, descriptors int) Limits {
	if l.Conns == 0 {
		l.Conns = 512
	}
	if l.ConnsFrom == 0 {
		l.ConnsFrom = max(1, l.Conns/2)
	}
	l.all = max(64, descriptors/16)
	return l
}

// crowd counts connections.
type crowd struct {
	Limits

	mu    sync.Mutex
	count int
	of    map[string]*crowdOf // by app
	ever  map[string]int      // connections of each app
}

type crowdOf struct {
	count int
	from  map[string]int
}

func newCrowd(l Limits) *crowd {
	return &crowd{Limits: limitsOf(l, admit.Descriptors()), of: map[string]*crowdOf{}, ever: map[string]int{}}
}

// enter counts a connection in, if there is room; leave counts it out.
func (c *crowd) enter(app, from string) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.of[app]
	if of == nil {
		of = &crowdOf{from: map[string]int{}}
	}
	if c.count >= c.all || of.count >= c.Conns || of.from[from] >= c.ConnsFrom {
		return nil, false
	}
	c.of[app] = of
	c.ever[app]++
	c.count++
	of.count++
	of.from[from]++
	return func() { c.leave(of, app, from) }, true
}

func (c *crowd) leave(of *crowdOf, app, from string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count--
	of.count--
	if of.from[from]--; of.from[from] == 0 {
		delete(of.from, from)
	}
	if of.count == 0 && c.of[app] == of {
		delete(c.of, app)
	}
}

// now is how many connections an app has.
func (c *crowd) now(app string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of := c.of[app]; of != nil {
		return of.count
	}
	return 0
}

// counts is how many connections an app has, and has had.
func (c *crowd) counts(app string) (now, ever int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if of := c.of[app]; of != nil {
		now = of.count
	}
	return now, c.ever[app]
}

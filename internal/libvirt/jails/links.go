package jails

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
	"github.com/nodeos-dev/gitd/internal/jail"
	"github.com/nodeos-dev/gitd/internal/latch"
)

// Link carries a connection that a machine has asked for: it connects to a port of the app behind a link, calls bring
// for the side of the machine, and returns when the connection has ended, which it has when ctx ends. An error from
// before bring is why there is none: core.LinkReason.
type Link func(ctx context.Context, link int64, port int, bring func(context.Context) (net.Conn, error)) error

// maxLinked is how many connections to other apps one machine may have. Its network bounds them too, but a guest may
// have taken that over.
const maxLinked = 1024

// linked is what one machine has to do with the apps that its own is linked to. Whether it may have a connection is
// judged by what this process has last said of its links, and by nothing that the machine says.
type linked struct {
	id    string
	jails *Jails
	link  Link // nil: no machine reaches another

	known chan struct{} // closed once it is known which links there are

	mu      sync.Mutex
	links   []core.LinkEnd
	carried map[uint32]carried // by the number of the question
}

type carried struct {
	link int64
	cut  context.CancelFunc
}

// newLinked is for a machine of which links are not known yet.
func newLinked(id string, j *Jails, link Link) *linked {
	return &linked{id: id, jails: j, link: link, known: make(chan struct{}), carried: map[uint32]carried{}}
}

// has reports whether there is such a link; l.mu is held.
func (l *linked) has(link int64) bool {
	return slices.ContainsFunc(l.links, func(end core.LinkEnd) bool { return end.ID == link })
}

// set says which links there are, and cuts what the others have carried.
func (l *linked) set(links []core.LinkEnd) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links = links
	latch.Close(l.known)
	for _, c := range l.carried {
		if !l.has(c.link) {
			c.cut()
		}
	}
}

// asked answers the network of the machine, which asks for a connection to a linked app.
func (l *linked) asked(c *wire.Client, a wire.Ask) {
	ctx, why := l.begin(a)
	if why != "" {
		c.Refuse(a.N, why) //nolint:errcheck // the wire has ended
		return
	}
	go func() {
		defer l.end(a.N)
		if err := l.carry(ctx, a); err != nil {
			c.Refuse(a.N, core.LinkReason(err)) //nolint:errcheck // the wire has ended
		}
	}()
}

// knownTime is for gitd to find out, after its start, which links a machine has that it found running.
const knownTime = 20 * time.Second

// carry carries what was asked for, if the machine may have it.
func (l *linked) carry(ctx context.Context, a wire.Ask) error {
	late := time.NewTimer(knownTime)
	defer late.Stop()
	select {
	case <-l.known:
	case <-ctx.Done():
	case <-late.C:
	}
	l.mu.Lock()
	has := l.has(a.Link)
	l.mu.Unlock()
	if !has || l.link == nil {
		return core.Reject("is not linked", "")
	}
	return l.link(ctx, a.Link, a.Port, func(ctx context.Context) (net.Conn, error) { return l.jails.bring(ctx, l.id, a.N) })
}

func (l *linked) begin(a wire.Ask) (ctx context.Context, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, twice := l.carried[a.N]
	switch {
	case twice:
		return nil, "was asked for already"
	case len(l.carried) >= maxLinked:
		return nil, "is one more than a machine may have connections to other apps"
	}
	ctx, cut := context.WithCancel(context.Background())
	l.carried[a.N] = carried{a.Link, cut}
	return ctx, ""
}

func (l *linked) end(n uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.carried[n].cut()
	delete(l.carried, n)
}

var errOldMachine = errors.New("the machine was started by a gitd that had no links: ps:restart starts it again")

// bring connects to the network of a machine with what it has asked for.
func (j *Jails) bring(ctx context.Context, id string, n uint32) (net.Conn, error) {
	spec, err := jail.Load(j.file(id))
	switch {
	case err != nil:
		return nil, err
	case spec.Ports == "":
		return nil, errOldMachine
	}
	return guestport.DialAsked(ctx, spec.Ports, n)
}

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/core"
)

// lookEvery is how often is looked whether anything runs that an upgrade must not break.
const lookEvery = 20 * time.Millisecond

// quiet waits until nothing runs that the next gitd could not go on with: pushes, deployments, commands. For half of
// the time that this may take, everybody may begin more. Then, or when nothing runs, the doors are held: whoever comes
// waits for the next gitd, and who was let in a moment before is waited for. One-off machines, which end with this
// gitd, have the time of a drain.
func (u *upgrade) quiet() error {
	d, began, held := u.d, time.Now(), false
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for told := ""; ; {
		busy, waited := d.next.busy(time.Since(began) < d.next.drain), time.Since(began)
		if n := d.door.Arriving(); held && n > 0 {
			busy = append(busy, "a client that is logging in")
		}
		switch what := some(busy); {
		case len(busy) == 0 && held:
			return nil
		case !held && (len(busy) == 0 || waited > d.next.patience/2):
			held = true
			d.door.Leave(true)
			d.l.doors.Pause()
			continue
		case waited > d.next.patience:
			u.letIn()
			return core.Reject("not everything has ended within "+d.next.patience.String()+": "+what,
				"this gitd goes on; type `gitd upgrade` again, or serve with a longer --upgrade-timeout")
		case what != told:
			told = what
			u.r.Step("Waiting for %s", what)
		}
		select {
		case <-tick.C:
		case <-d.next.held.Done():
			u.letIn()
			return context.Cause(d.next.held)
		}
	}
}

func (u *upgrade) letIn() {
	u.d.l.doors.Resume()
	u.d.door.Leave(false)
}

// busy is what runs and must end before the next gitd begins; tasks are one-off machines.
func (s *succession) busy(tasks bool) (what []string) {
	d := s.d
	if n := d.core.OneOffs.Running(); tasks && n > 0 {
		what = append(what, fmt.Sprintf("%d commands in machines of their own", n))
	}
	for _, e := range d.core.Overview().Queue {
		what = append(what, fmt.Sprintf("%s of %s by %s", e.What, e.App, e.By))
	}
	for _, x := range d.door.Seats.List() {
		if !x.Stays && x.Command != upgradeName {
			what = append(what, x.Command+" of "+x.Who)
		}
	}
	what = append(what, s.calls.list()...)
	if d.front.Draining() > 0 {
		what = append(what, "requests on a machine that was replaced")
	}
	return what
}

// calls are the commands that run on the host's behalf.
type calls struct {
	mu      sync.Mutex
	running map[*call]bool
	all     sync.WaitGroup
}

// call is one of them.
type call struct {
	name  string
	stays bool // it goes on until somebody ends it
}

// begin counts a call in, until end. stay says that it goes on until somebody ends it.
func (c *calls) begin(words []string) (stay func() error, end func()) {
	x := &call{name: "a command"}
	if len(words) > 0 {
		x.name = words[0]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		c.running = map[*call]bool{}
	}
	c.running[x] = true
	c.all.Add(1)
	return func() error {
			c.mu.Lock()
			defer c.mu.Unlock()
			x.stays = true
			return nil
		}, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.running, x)
			c.all.Done()
		}
}

func (c *calls) list() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for x := range c.running {
		if !x.stays && x.name != upgradeName {
			names = append(names, "`gitd "+x.name+"` on the host")
		}
	}
	return names
}

// lastWords is how long a call may take to say what has come of it.
const lastWords = 2 * time.Second

// wait waits for the calls, the one that has asked for the upgrade among them, for a moment.
func (c *calls) wait() {
	over := make(chan struct{})
	go func() {
		defer close(over)
		c.all.Wait()
	}()
	select {
	case <-over:
	case <-time.After(lastWords):
	}
}

// upgradeName is the command that upgrades.
const upgradeName = cli.UpgradeName

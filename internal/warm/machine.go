package warm

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// state is what a machine is to the Pool.
type state int

const (
	runs     state = iota
	replaced       // the next Stop keeps it
	kept           // it is paused
	over           // it has ended, or is being ended
)

// machine is one that may be kept. The Pool guards it, but what telling does.
type machine struct {
	id, addr string
	started  time.Time
	app      string
	release  int // that it serves, or served last
	process  core.ProcessID
	size     core.Resources
	print    print

	state state
	since time.Time     // when it was paused
	timer *time.Timer   // ends it
	grace time.Duration // for its app to end

	telling sync.Mutex // held while the watch is called; the Pool may be locked within
	watch   core.Watch
	resumed string      // what it says of its boot from then on; empty: as the guest says
	silent  *time.Timer // since it goes on; nil: it has said something
}

func newMachine(spec core.MachineSpec, w core.Watch) *machine {
	return &machine{app: spec.App, release: spec.Release, process: spec.Process, size: spec.Resources, print: printOf(spec), watch: w}
}

// tell is the watch of a machine, all its life.
func (m *machine) tell(e core.Event, gone func(*machine)) {
	m.telling.Lock()
	defer m.telling.Unlock()
	if m.silent != nil {
		m.silent.Stop()
		m.silent = nil
	}
	if m.resumed != "" {
		e.Boot = nil // of its first boot
		if e.Kind == core.EventBooted {
			e.Detail = m.resumed // also the second time, where libvirt was away while it was kept
		}
	}
	if e.Kind == core.EventGone {
		gone(m)
	}
	m.watch(e)
}

// becomes has w told what happens to a machine that is about to go on. If its guest says nothing, w is told that it
// hangs. undo has the watch of before told again.
func (m *machine) becomes(w core.Watch, detail string) (undo func()) {
	m.telling.Lock()
	defer m.telling.Unlock()
	before := m.watch
	m.watch, m.resumed = w, detail
	var late *time.Timer
	late = time.AfterFunc(answerTime, func() {
		m.telling.Lock()
		defer m.telling.Unlock()
		if m.silent == late {
			m.watch(core.Event{Kind: core.EventHung, Detail: "it was kept, and says nothing since it goes on"})
		}
	})
	m.silent = late
	return func() {
		m.telling.Lock()
		defer m.telling.Unlock()
		late.Stop()
		m.watch, m.silent = before, nil
	}
}

// print is what must be the same of two machines, so that one can serve for the other.
type print [sha256.Size]byte

// releaseVar is the only variable that two releases of the same image and config differ in.
const releaseVar = "NODEOS_RELEASE"

func printOf(spec core.MachineSpec) print {
	spec.ID, spec.Release, spec.Kept = "", 0, false
	spec.Egress = core.Egress{} // that is set anew
	spec.Share = core.Share{Resources: spec.Resources}
	spec.Env = but(spec.Env)
	steps := spec.Steps
	spec.Steps = nil
	for _, s := range steps {
		s.Env = but(s.Env)
		spec.Steps = append(spec.Steps, s)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		panic(err) // it has no field that JSON does not know
	}
	return sha256.Sum256(text)
}

func but(env map[string]string) map[string]string {
	env = maps.Clone(env)
	delete(env, releaseVar)
	return env
}

// keepable reports whether a machine of spec may be kept. One with a volume may not: the next one needs the volume. A
// worker may not either: what it has begun, and the locks that it holds, would stand still with it.
func keepable(spec core.MachineSpec) bool {
	return spec.Task == nil && spec.Process.IsWeb() && !spec.Exclusive()
}

package libvirt

import (
	"fmt"
	"maps"
	"slices"
	"sync"
)

// watches are the machines that have a watch, by id. The zero value is ready to use.
type watches struct {
	mu       sync.Mutex
	machines map[string]*machine
}

// add makes m known, so that no event of its domain is missed.
func (w *watches) add(m *machine) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.machines == nil {
		w.machines = map[string]*machine{}
	}
	if w.machines[m.id] != nil {
		return fmt.Errorf("machine %s runs already, or is watched already", m.id)
	}
	w.machines[m.id] = m
	return nil
}

// forget is the opposite of add.
func (w *watches) forget(m *machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.machines[m.id] == m {
		delete(w.machines, m.id)
	}
}

func (w *watches) watched(id string) *machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.machines[id]
}

// all are the machines that have a watch now.
func (w *watches) all() []*machine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.machines))
}

// unsee gives up the channels of all machines.
func (w *watches) unsee(why string) {
	for _, m := range w.all() {
		m.unsee(why)
	}
}

// letGo stops watching all machines, which go on.
func (w *watches) letGo() {
	w.mu.Lock()
	left := w.machines
	w.machines = nil
	w.mu.Unlock()
	var all sync.WaitGroup
	for _, m := range left {
		all.Go(m.leave)
	}
	all.Wait()
}

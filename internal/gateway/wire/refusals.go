package wire

import "sync"

// MaxRefusals is how many destinations are remembered until gitd takes them. A guest that tries all the world is known
// by then.
const MaxRefusals = 64

// Refusals are what was refused and not yet said. Those of one destination are one.
type Refusals struct {
	wake chan struct{}
	mu   sync.Mutex
	list []Refused
}

// NewRefusals makes an empty list.
func NewRefusals() *Refusals { return &Refusals{wake: make(chan struct{}, 1)} }

// Add notes one.
func (r *Refusals) Add(n Refused) {
	n.Count = 1
	r.keep([]Refused{n})
}

// keep puts refusals, which Add has counted, into the list.
func (r *Refusals) keep(list []Refused) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range list {
		if i := r.find(n); i >= 0 {
			r.list[i].Count += n.Count
		} else if len(r.list) < MaxRefusals {
			r.list = append(r.list, n)
		}
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Refusals) find(n Refused) int {
	for i, have := range r.list {
		if have.Proto == n.Proto && have.Addr == n.Addr && have.App == n.App {
			return i
		}
	}
	return -1
}

// take empties the list.
func (r *Refusals) take() []Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

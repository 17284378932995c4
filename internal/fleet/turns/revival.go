package turns

import "sync"

// Revival makes sure that only one revival of an app runs at a time. The zero value is ready to use.
type Revival struct {
	mu    sync.Mutex
	runs  bool
	again bool // the revival that runs must look once more before it ends
}

// Begin reports whether the caller must revive the app. If not, a revival runs already, and it looks again before it
// ends.
func (r *Revival) Begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs {
		r.again = true
		return false
	}
	r.runs = true
	return true
}

// End reports whether the revival is over. It is not over if another look was asked for in the meantime.
func (r *Revival) End() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.again {
		r.again = false
		return false
	}
	r.runs = false
	return true
}

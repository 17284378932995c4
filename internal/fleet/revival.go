package fleet

import "sync"

// revival sees to it that one revival of an app runs at a time. The zero value is ready to use.
type revival struct {
	mu    sync.Mutex
	runs  bool
	again bool // the one that runs shall look once more before it ends
}

// begin reports whether the caller shall revive the app. Otherwise a revival runs already, and it will look again
// before it ends.
func (r *revival) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs {
		r.again = true
		return false
	}
	r.runs = true
	return true
}

// end reports whether the revival is over: nobody has asked for another look meanwhile.
func (r *revival) end() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.again {
		r.again = false
		return false
	}
	r.runs = false
	return true
}

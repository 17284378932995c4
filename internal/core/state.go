package core

import "slices"

// State is where a release stands. Only the core moves it, and the ledger
// refuses a step that CanBecome does not allow.
type State string

// The life of a release. The first four belong to its deployment, Live and
// Draining to its machine, and the last two are final.
const (
	Building State = "building" // its image is being made
	Built    State = "built"    // its image is stored
	Booting  State = "booting"  // a candidate machine was asked for
	Healthy  State = "healthy"  // the candidate answers; no traffic yet
	Live     State = "live"     // it has the traffic
	Draining State = "draining" // another release is live; its machine ends its requests
	Retired  State = "retired"  // it was live, and is over
	Failed   State = "failed"   // it was never live
)

// next is the state machine: docs/decisions/0060-states.md draws it.
func (s State) next() []State {
	switch s {
	case Building:
		return []State{Built, Failed}
	case Built:
		return []State{Booting, Failed}
	case Booting:
		return []State{Healthy, Failed}
	case Healthy:
		return []State{Live, Failed}
	case Live:
		return []State{Draining}
	case Draining:
		return []State{Retired}
	default:
		return nil
	}
}

// CanBecome reports whether a release may go from s to t in one step.
func (s State) CanBecome(t State) bool { return slices.Contains(s.next(), t) }

// Deploying reports whether a deployment still has to bring the release to
// Live or to Failed.
func (s State) Deploying() bool {
	return s == Building || s == Built || s == Booting || s == Healthy
}

// Starts reports whether a new release may begin in s: with a build, or with
// the image of an older release.
func (s State) Starts() bool { return s == Building || s == Built }

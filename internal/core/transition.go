package core

// Moment is something that has just happened to an app, or is about to happen: a state of a release, or a point between
// two states.
type Moment string

// The moments of a deployment, in their order, and then those of machines. An observer is told of a moment when it is
// on disk, and before anyone can see its effect.
const (
	AtReceived Moment = "received" // a push or a command has come, and waits for its turn
	AtPhase    Moment = "phase"    // a phase of it has ended; it comes between all others

	AtPlan    Moment = "plan"    // the repository was read, and the tools for its build are there
	AtInstall Moment = "install" // dependencies are about to be installed
	AtBuild   Moment = "build"   // the build script is about to run
	AtPack    Moment = "pack"    // the app is about to be packed
	AtBuilt   Moment = "built"
	AtBooting Moment = "booting"
	AtBoot    Moment = "boot" // the candidate machine is about to be asked for
	AtHealthy Moment = "healthy"
	AtSwitch  Moment = "switch" // traffic is about to move
	AtLive    Moment = "live"   // in the ledger; the front door does not know yet
	AtServed  Moment = "served" // the front door sends requests to the new machine
	AtFailed  Moment = "failed"
	AtOver    Moment = "over" // the push or the command has ended

	AtUp      Moment = "up"      // a machine has booted, and web listens; with a Reason: it has not
	AtDrained Moment = "drained" // a replaced machine has ended its requests; it still runs
	AtRetired Moment = "retired" // its release is over
	AtLost    Moment = "lost"    // a machine that served ended, or is silent
	AtStarted Moment = "started" // another machine has taken the place of a lost one
)

// Transition is one moment of one release. The goroutine that makes it tells the observer and goes on when the observer
// returns. This is how tests stop gitd between two steps; the observers of the product (metrics and traces) take notes
// and wait for nothing.
type Transition struct {
	Moment  Moment `json:"moment"`
	App     string `json:"app"`
	Release int    `json:"release,omitempty"` // 0: it has no version yet
	Machine string `json:"machine,omitempty"` // of the moments of machines
	Reason  string `json:"reason,omitempty"`  // of AtFailed, AtLost, AtUp and AtOver

	Work  *Work `json:"-"` // the push or command that it belongs to; nil: to none, or it is not known
	Phase Phase `json:"-"` // of AtPhase
	Ended Ended `json:"-"` // of AtOver
	Boot  *Boot `json:"-"` // of AtUp
}

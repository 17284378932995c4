package core

import (
	"slices"
	"time"
)

// BaseUpdate is one roll of apps onto other bases, or back from them.
type BaseUpdate struct {
	ID    int
	Wish  BaseWish
	Undo  int // of a rollback: the update that it undoes; 0: this is none
	By    Actor
	Begun time.Time
	Ended time.Time // zero: it runs, or waits for a gitd that goes on with it
	Moves []BaseMove
}

// BaseWish is what somebody asked of an update. The zero BaseWish moves every app to what is newest for it.
type BaseWish struct {
	Apps   []string `json:"apps,omitempty"`   // only these; none: all
	Node   string   `json:"node,omitempty"`   // a range of versions; "": the newest of the line on which each app is
	Kernel bool     `json:"kernel,omitempty"` // compile the minimal kernel first, if it has not been
	Night  bool     `json:"night,omitempty"`  // by the schedule: what has failed on the same base is not tried again
}

// App is the only one that was asked for; "": there are more.
func (w BaseWish) App() string {
	if len(w.Apps) == 1 {
		return w.Apps[0]
	}
	return ""
}

// Wants reports whether app was asked for.
func (w BaseWish) Wants(app string) bool { return len(w.Apps) == 0 || slices.Contains(w.Apps, app) }

// BaseState says what became of one app in an update.
type BaseState string

// An app waits, and then is moved, stays for a reason that is no fault, or has failed: then it stays as well.
const (
	BaseWaits  BaseState = "waits"
	BaseMoved  BaseState = "moved"
	BaseStays  BaseState = "stays"
	BaseFailed BaseState = "failed"
)

// BaseMove is one app in an update.
type BaseMove struct {
	App     string        `json:"app"`
	State   BaseState     `json:"state"`
	Reason  string        `json:"reason,omitempty"` // why it stays or has failed
	Was     BaseRef       `json:"was"`
	Is      BaseRef       `json:"is"` // where it goes; it is there if State is BaseMoved
	From    int           `json:"from,omitempty"`
	Release int           `json:"release,omitempty"` // that was made by the move, whether it became live or not
	Took    time.Duration `json:"took_ns,omitempty"`
}

// BaseRef is a base, as a manifest names it.
type BaseRef struct {
	ID   string `json:"base,omitempty"`
	Node string `json:"node,omitempty"`
}

// BaseRef is the base that m boots on.
func (m Manifest) BaseRef() BaseRef { return BaseRef{m.Base, m.Node} }

// Count is how many apps of u are in a state.
func (u BaseUpdate) Count(s BaseState) (n int) {
	for _, m := range u.Moves {
		if m.State == s {
			n++
		}
	}
	return n
}

// BaseSchedule is when bases are updated by themselves. The zero BaseSchedule is never.
type BaseSchedule struct {
	Text string // as cron has it
	Zone string // "": UTC
	By   string // who has set it
}

// BasePart is a part of bases, in the version that something has of it.
type BasePart struct {
	Name    string `json:"name"`              // kernel, node, or the name of a package of Debian
	Version string `json:"version,omitempty"` // "": see Unknown
	Unknown string `json:"unknown,omitempty"` // why the version is not known
}

// BaseNews is what bases could be made of now.
type BaseNews struct {
	Host    []BasePart `json:"host"`    // what a base gets that is made now
	Archive []BasePart `json:"archive"` // what the host's package sources have
	Node    []BasePart `json:"node"`    // the newest of each line, in the npm registry
}

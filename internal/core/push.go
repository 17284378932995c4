package core

import (
	"strings"
	"time"
)

// MaxCommands bounds the refs of one push: `git push --tags` of a large
// repository is fine, a stream without end is not.
const MaxCommands = 10_000

// Push is one git push, as the server's git received it.
type Push struct {
	ID       string // of its Work
	App      string
	By       Actor
	From     string // the address of whoever pushes
	Started  time.Time
	Commands []Command
	Shallow  bool     // the client's history is cut off
	Atomic   bool     // all refs move, or none
	Options  []string // of git push -o; what the client wrote

	// Quarantine is a folder in the form of a repository, with the objects that the push has brought and no refs. They
	// come into the app's repository when something of the push is accepted.
	Quarantine string
}

// Quarantine has the objects of a push until something of it is accepted.
type Quarantine interface {
	// Seal returns the folder for Push.Quarantine. From then on no process that reads a stranger's bytes changes what
	// is in it.
	Seal() (dir string, err error)
	// Drop removes what was not accepted.
	Drop() error
}

// Command asks for one ref to move.
type Command struct {
	Ref string // full name
	Old string // zeros: the ref is new
	New string // zeros: the ref is to be deleted
}

// Verdict answers one Command.
type Verdict struct {
	Ref    string `json:"ref"`
	Reject string `json:"reject,omitempty"` // why not; empty: accepted
	// Store asks git itself to move the ref, which only a shallow push needs. Without it git moves nothing: the core
	// has moved the ref, or no ref moves.
	Store bool `json:"store,omitempty"`
	// Moved tells the client what was moved, where that is not what it asked for: another ref, or the ref from a value
	// that the client was not shown.
	Moved *Command `json:"moved,omitempty"`
}

// Zero reports whether an object name is git's "nothing": all zeros.
func Zero(oid string) bool { return strings.Trim(oid, "0") == "" }

package core

import (
	"strings"
	"time"
)

// MaxCommands bounds the refs of one push: `git push --tags` of a large
// repository is fine, a stream without end is not.
const MaxCommands = 10_000

// Push is one git push, as the server's git received it. Its objects are
// already in the repository.
type Push struct {
	App      string
	By       Actor
	From     string // the address of whoever pushes
	Started  time.Time
	Commands []Command
	Shallow  bool     // the client's history is cut off
	Atomic   bool     // all refs move, or none
	Options  []string // of git push -o; what the client wrote
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

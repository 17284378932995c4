package core

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// Work is one push, or one command that changes an app, as observers see it. It may become a release.
type Work struct {
	ID      string // see NewWorkID
	Push    bool
	App     string
	By      string
	Began   time.Time
	Release int     // 0: it has made none so far
	Trigger Trigger // of the release
	Commit  string  // likewise
}

// NewWorkID makes a name for a push or a command, which logs and traces have: 32 hex digits, the form of a trace id of
// W3C. It is no secret, and opens nothing.
func NewWorkID() string {
	var id [16]byte
	rand.Read(id[:]) // it never fails
	return hex.EncodeToString(id[:])
}

// Phase is a measured part of a piece of work.
type Phase struct {
	Name     string // one of few: "deps", "boot"
	From, To time.Time
}

// Result is what became of a piece of work, in one of few words.
type Result string

// The results.
const (
	ResultOK          Result = "ok"
	ResultRefused     Result = "refused"     // nothing was begun: no release was made
	ResultFailed      Result = "failed"      // its release has failed
	ResultSuperseded  Result = "superseded"  // another push or a person has ended it
	ResultInterrupted Result = "interrupted" // gitd has ended
)

// Ended is how a piece of work ended.
type Ended struct {
	Result Result
	Phase  string // in which it ended; empty if it is ResultOK
}

// Boot is one boot of a machine.
type Boot struct {
	Process ProcessID // zero: it is a command beside the app
	Called  time.Time
	Times   BootTimes // a guest has a part in them
}

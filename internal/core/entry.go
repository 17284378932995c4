package core

import "time"

// Entry is one line of the audit.
type Entry struct {
	Time   time.Time
	App    string
	Actor  string // name of a key's owner, or "gitd"
	Action string // e.g. "release.live", "key.add"
	Detail string
}

// Line is one line of an app's output.
type Line struct {
	Time    time.Time
	Release int
	Process string // "worker.1"; empty: not known
	Machine string
	Stream  string // "stdout", "stderr", "init", "console" or "nodeos"
	Text    string // printable, one line
}

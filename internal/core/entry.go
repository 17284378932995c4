package core

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Entry is one line of the audit.
type Entry struct {
	ID     int64 // in the order of recording; 0: it is not recorded yet
	Time   time.Time
	App    string
	Actor  string // name of a key's owner, or "gitd"
	Action string // e.g. "release.live", "key.add"
	Detail string
}

// EntryRange chooses entries of the audit.
type EntryRange struct {
	Apps   []string  // of these apps; nil: all entries, those of no app too
	After  int64     // recorded after the one with this id
	Before int64     // recorded before the one with this id; 0: no bound
	Since  time.Time // not earlier; zero: no bound
	Newest bool      // the newest first; otherwise in the order of recording
	Limit  int       // 0: all
}

// Line is one line of an app's output.
type Line struct {
	Time    time.Time
	Release int
	Process string // "worker.1"; empty: the first of web, or gitd itself
	Machine string
	Stream  string // "stdout", "stderr", "init", "console", "nodeos" or AccessStream
	Text    string // printable, one line
}

// AccessStream has the requests of an app, a JSON object a line.
const AccessStream = "access"

// Who names the process that said the line, and its release: "v3", or "v3 worker.1".
func (l Line) Who() string {
	if l.Process == "" {
		return "v" + strconv.Itoa(l.Release)
	}
	return "v" + strconv.Itoa(l.Release) + " " + l.Process
}

// Of reports whether a process said the line that has this name, or a process of the type that has it.
func (l Line) Of(name string) bool {
	said := cmp.Or(l.Process, FirstWeb.String())
	kind, _, _ := strings.Cut(said, ".")
	return name == said || name == kind
}

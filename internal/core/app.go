package core

import (
	"fmt"
	"regexp"
	"time"
)

// App is one repository that is pushed to and served.
type App struct {
	Name       string
	Branch     string // the deploy branch, "main" or "master"; set by the first push
	Live       int    // version of the live release; 0: none yet
	Created    time.Time
	Stopped    bool   // somebody stopped it, and nobody has started it or deployed since
	Lock       Lock   // while it is set, deployments are refused
	FormerName string // the name before a rename, while files still have that name; empty otherwise
	Scale      Scale  // how many machines of each process somebody wants
	Dir        string // its folder in the repository, as somebody has set it; "": what its package.json says
	OnlyTags   bool   // a push of the deploy branch is refused: tags deploy
	Owner      string // who made it, if that is a user; "": the host, or somebody who is gone
	FoundMiB   int    // of memory with which it started, after it had run out of less; 0: that has not happened
}

// Lock is why an app takes no deployments.
type Lock struct {
	By     string
	Reason string
	Since  time.Time // zero: it is not locked
}

// Held reports whether the lock is set.
func (l Lock) Held() bool { return !l.Since.IsZero() }

// appName is a DNS label of at most 40 bytes that starts with a letter: it
// becomes a folder, a host name and part of a libvirt domain name unchanged.
var appName = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$`)

// CheckName reports why name cannot be an app's name, or nil.
func CheckName(name string) error {
	if !appName.MatchString(name) {
		return fmt.Errorf("%w %q: use 1 to 40 lower-case letters, digits and '-', starting with a letter", ErrBadName, name)
	}
	return nil
}

package core

import (
	"fmt"
	"regexp"
)

// The process types with a meaning of their own.
const (
	Web         = "web"     // gets the requests; Manifest.Run starts it
	ReleaseType = "release" // runs once, before a release is live
)

// MaxProcessTypes bounds the types of one app.
const MaxProcessTypes = 16

// ProcessType is a kind of process that an app has beside web: a worker, or the command of a release.
type ProcessType struct {
	Name string      `json:"name"`
	Run  []StartStep `json:"run"`
}

var processType = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?$`)

// CheckProcessType says why name cannot be the name of a process type, or nil.
func CheckProcessType(name string) error {
	if !processType.MatchString(name) {
		return fmt.Errorf("%.40q cannot be the name of a process: use 1 to 20 lower-case letters, digits and '-', starting with a letter", name)
	}
	return nil
}

// IsWorker reports whether machines of this type run beside those of web for as long as a release is live.
func IsWorker(name string) bool { return name != Web && name != ReleaseType }

// Serves reports whether a release with this manifest has a web process.
func (m Manifest) Serves() bool { return len(m.Run) > 0 || len(m.Start) > 0 }

// Type finds a process type other than web.
func (m Manifest) Type(name string) (t ProcessType, ok bool) {
	for _, t := range m.Types {
		if t.Name == name {
			return t, true
		}
	}
	return ProcessType{}, false
}

package core

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
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

// Running are the names of the types of which machines run for as long as a release is live: web first, and then the
// workers by name.
func (m Manifest) Running() []string {
	var all []string
	if m.Serves() {
		all = append(all, Web)
	}
	for _, t := range m.Types {
		if IsWorker(t.Name) {
			all = append(all, t.Name)
		}
	}
	return all
}

// Starting is the manifest of which Run and Start are those of this process type.
func (m Manifest) Starting(name string) Manifest {
	if name != Web {
		t, _ := m.Type(name)
		m.Run, m.Start = t.Run, nil
	}
	return m
}

// VolumeHolder is the process whose machine has the volumes of an app, because a volume belongs to one machine at a
// time: web, or the first worker of an app without web. Without a process, ok is false.
func (m Manifest) VolumeHolder() (p ProcessID, ok bool) {
	for _, name := range m.Running() {
		return ProcessID{name, 1}, true
	}
	return ProcessID{}, false
}

// ProcessID names one machine among those that a release needs: "worker.2".
type ProcessID struct {
	Type   string
	Number int // from 1
}

// FirstWeb is the process of an app that has only one, and of machines from a time when there was no other.
var FirstWeb = ProcessID{Web, 1}

// IsWeb reports whether the process gets requests.
func (p ProcessID) IsWeb() bool { return p.Type == Web }

// String is the name, as people read and write it.
func (p ProcessID) String() string { return p.Type + "." + strconv.Itoa(p.Number) }

// Compare puts web first, then the types by name, and each type by number.
func (p ProcessID) Compare(q ProcessID) int {
	if p.IsWeb() != q.IsWeb() {
		if p.IsWeb() {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(p.Type, q.Type), cmp.Compare(p.Number, q.Number))
}

// MarshalText implements encoding.TextMarshaler.
func (p ProcessID) MarshalText() ([]byte, error) {
	if p == (ProcessID{}) {
		return nil, nil
	}
	return []byte(p.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *ProcessID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = ProcessID{}
		return nil
	}
	name, number, _ := strings.Cut(string(text), ".")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strconv.Itoa(n) != number || CheckProcessType(name) != nil {
		return fmt.Errorf("%.40q is no process: it would be a type and a number, like worker.1", text)
	}
	*p = ProcessID{name, n}
	return nil
}

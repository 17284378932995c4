package core

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// MaxScale bounds the machines of one process type.
const MaxScale = 16

// Scale is how many machines of each process type somebody wants of an app. A type that is not in it has one.
type Scale map[string]int

// Of is how many machines of this type run.
func (s Scale) Of(name string) int {
	if n, ok := s[name]; ok {
		return n
	}
	return 1
}

// Formation is the processes that run of a release with this manifest, in order.
func (s Scale) Formation(m Manifest) []ProcessID {
	var all []ProcessID
	for _, name := range m.Running() {
		for n := range s.Of(name) {
			all = append(all, ProcessID{name, n + 1})
		}
	}
	return all
}

// Text says how many machines run of each type of a release with this manifest: "web=2 worker=0".
func (s Scale) Text(m Manifest) string {
	var all []string
	for _, name := range m.Running() {
		all = append(all, name+"="+strconv.Itoa(s.Of(name)))
	}
	return strings.Join(all, " ")
}

// With is s after changes to an app whose live release has manifest m. Each change is TYPE=N, TYPE+N or TYPE-N. While
// there is no release, nobody knows which types there will be.
func (s Scale) With(m Manifest, changes []string) (Scale, error) {
	next := Scale{}
	maps.Copy(next, s)
	for _, c := range changes {
		name, n, err := next.change(m, c)
		if err != nil {
			return nil, err
		}
		if next[name] = n; n < 0 || n > MaxScale {
			return nil, Reject(fmt.Sprintf("%s: there can be from 0 to %d machines of a process", c, MaxScale), "")
		}
	}
	return next, nil
}

// change reads one change. A '-' may be part of a name: the one before the number counts.
func (s Scale) change(m Manifest, text string) (name string, n int, err error) {
	at := strings.LastIndexAny(text, "=+-")
	if at >= 0 {
		n, err = strconv.Atoi(text[at+1:])
	}
	if at < 1 || err != nil || CheckProcessType(text[:at]) != nil {
		return "", 0, Reject(fmt.Sprintf("%.40q says no number of machines", text), "write it as web=2, web+1 or worker-1")
	}
	name = text[:at]
	switch known := m.Running(); {
	case name == ReleaseType:
		return "", 0, Reject("release runs once for each release, and has no machines that stay", "")
	case m.Empty():
	case !slices.Contains(known, name):
		return "", 0, Reject("there is no process "+name,
			"the live release has "+strings.Join(known, ", ")+"; a Procfile names others")
	}
	switch text[at] {
	case '+':
		n = s.Of(name) + n
	case '-':
		n = s.Of(name) - n
	}
	return name, n, nil
}

// CheckVolumes says why an app with volumes cannot run in this scale, or nil. m is the manifest of its release.
func (s Scale) CheckVolumes(m Manifest, volumes []Volume) error {
	holder, ok := m.VolumeHolder()
	if len(volumes) == 0 || !ok || s.Of(holder.Type) < 2 {
		return nil
	}
	return Reject(fmt.Sprintf("%s has the volume %q, which belongs to one machine at a time: it cannot have %d machines",
		holder.Type, volumes[0].Name, s.Of(holder.Type)),
		fmt.Sprintf("keep what machines share in a database, or use `ps:scale %s %s=1`", volumes[0].App, holder.Type))
}

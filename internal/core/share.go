package core

import "fmt"

// SetBy says who chose what a machine gets.
type SetBy string

// Who can choose it, the first one before the others. Of the last three, which are of memory but the default, whichever
// names the most counts.
const (
	SetByCommand SetBy = "command"      // `resource`
	SetByPackage SetBy = "package.json" // "nodeos": {"memory"}
	SetByTrying  SetBy = "found"        // the app ran out of less
	SetByGuess   SetBy = "dependencies" // a package that the app depends on needs it
	SetByDefault SetBy = "default"      // `gitd serve --memory`
)

// Fixed reports whether a person chose it. gitd does not give a machine more than that by itself.
func (f SetBy) Fixed() bool { return f == SetByCommand || f == SetByPackage }

// Share is what a machine gets of its host, and why.
type Share struct {
	Resources
	From     SetBy  // of the memory
	Because  string // for people: why gitd itself chose the memory; empty: it did not, or it is the default
	CPUsFrom SetBy  // SetByCommand, SetByPackage or SetByDefault
}

// ShareOf says what the machine of a release of a with manifest m gets. set is what somebody has set for the app, and
// def what the daemon gives otherwise.
func ShareOf(set Resources, a App, m Manifest, def Resources) Share {
	s := Share{
		Resources: set.Or(m.Resources).Or(def),
		From:      whose(set.MemoryMiB, m.Resources.MemoryMiB),
		CPUsFrom:  whose(set.CPUs, m.Resources.CPUs),
	}
	if s.From.Fixed() {
		return s
	}
	if n := m.Guess.MemoryMiB; n > s.MemoryMiB {
		s.MemoryMiB, s.From, s.Because = n, SetByGuess, "it uses "+m.Guess.Package
	}
	if n := a.FoundMiB; n > s.MemoryMiB {
		s.MemoryMiB, s.From, s.Because = n, SetByTrying, "it ran out of less before"
	}
	return s
}

// whose says which of two settings counts; 0 is not set.
func whose(set, asked int) SetBy {
	switch {
	case set > 0:
		return SetByCommand
	case asked > 0:
		return SetByPackage
	}
	return SetByDefault
}

// mostFoundMiB is the most that gitd gives a machine without a person's word.
const mostFoundMiB = 2 << 10

// More is the memory with which an app is tried again that ran out of s on host; 0: with no more. This is the one place
// that says how far gitd goes by itself.
func (s Share) More(host Resources) (mib int) {
	most := mostFoundMiB
	if host.MemoryMiB > 0 {
		most = min(most, host.MemoryMiB/2)
	}
	if s.From.Fixed() || s.MemoryMiB >= most {
		return 0
	}
	return min(2*s.MemoryMiB, most)
}

// MemoryCommand is what to type so that a machine of app gets twice as much memory as mib.
func MemoryCommand(app string, mib int) string {
	return fmt.Sprintf("`resource %s --memory %dM`", app, min(2*mib, MaxMemoryMiB))
}

package core

import "fmt"

// MemoryFrom says who chose how much memory a machine gets.
type MemoryFrom string

// Who can choose it, the first one before the others. Of the last three, whichever names the most counts.
const (
	MemoryByCommand MemoryFrom = "command"      // `resource`
	MemoryByPackage MemoryFrom = "package.json" // "nodeos": {"memory"}
	MemoryFound     MemoryFrom = "found"        // the app ran out of less
	MemoryGuessed   MemoryFrom = "dependencies" // a package that the app depends on needs it
	MemoryByDefault MemoryFrom = "default"      // `gitd serve --memory`
)

// Fixed reports whether a person chose it. gitd does not give a machine more than that by itself.
func (f MemoryFrom) Fixed() bool { return f == MemoryByCommand || f == MemoryByPackage }

// Share is what a machine gets of its host, and why.
type Share struct {
	Resources
	From MemoryFrom // of the memory
}

// ShareOf says what the machine of a release of a with manifest m gets. set is what somebody has set for the app, and
// def what the daemon gives otherwise.
func ShareOf(set Resources, a App, m Manifest, def Resources) Share {
	s := Share{Resources: set.Or(m.Resources).Or(def)}
	switch {
	case set.MemoryMiB > 0:
		s.From = MemoryByCommand
	case m.Resources.MemoryMiB > 0:
		s.From = MemoryByPackage
	default:
		s.From = MemoryByDefault
		for _, o := range []struct {
			mib  int
			from MemoryFrom
		}{{m.Guess.MemoryMiB, MemoryGuessed}, {a.FoundMiB, MemoryFound}} {
			if o.mib > s.MemoryMiB {
				s.MemoryMiB, s.From = o.mib, o.from
			}
		}
	}
	return s
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

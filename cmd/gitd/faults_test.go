package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// phase is a moment of a push at which the daemon waits.
type phase struct {
	name string
	at   core.Moment // empty: the daemon does not know of the push yet
}

// phases are in the order in which a push passes through them.
var phases = []phase{
	{"receive", ""},
	{"plan", core.AtPlan},
	{"npm", core.AtInstall},
	{"build", core.AtBuild},
	{"pack", core.AtPack},
	{"built", core.AtBuilt},
	{"booting", core.AtBoot},
	{"healthy", core.AtHealthy},
	{"promote", core.AtLive}, // in the ledger, and not yet at the front door
	{"draining", core.AtServed},
	{"retire", core.AtDrained},
	{"rollback", ""}, // before an older tag is pushed
}

// childFault needs a child process that does not end by itself.
const childFault = "kill -9 the builder's child"

// cutFault needs a ledger whose log is not folded, so that there is something to cut.
const cutFault = "kill -9 gitd, last WAL frame cut"

// fault is one way to break things.
type fault struct {
	name  string
	some  []string      // phases of the bounded runs; FAULTS=few tries the first alone
	rest  []string      // further phases, for FAULTS=all
	do    func(c *cell) // called while the daemon waits in the phase
	small bool          // the state is on a small file system of its own
}

var faults = []fault{
	{
		"kill -9 gitd",
		[]string{"promote", "receive", "build", "booting", "draining"},
		[]string{"plan", "npm", "pack", "built", "healthy", "retire"}, (*cell).killDaemon, false,
	},
	{
		cutFault,
		[]string{"booting", "promote"},
		[]string{"plan", "npm", "build", "pack", "built", "healthy", "draining", "retire"}, (*cell).cutLog, false,
	},
	{
		childFault,
		[]string{"build", "npm", "pack"}, nil, (*cell).killBuild, false,
	},
	{
		"kill -9 git receive-pack",
		[]string{"booting", "receive"},
		[]string{"plan", "npm", "build", "pack", "built", "healthy", "promote", "draining"}, (*cell).killReceivePack, false,
	},
	{
		"kill -9 the git client",
		[]string{"build", "receive"},
		[]string{"plan", "npm", "pack", "built", "booting", "healthy", "promote", "draining"}, (*cell).killClient, false,
	},
	{
		"kill -9 QEMU of the candidate",
		[]string{"healthy", "booting"}, nil, (*cell).killCandidate, false,
	},
	{
		"kill -9 QEMU of the live machine",
		[]string{"promote", "booting"},
		[]string{"receive", "plan", "npm", "build", "pack", "built", "healthy", "draining", "retire"}, (*cell).killLive, false,
	},
	{
		"a bit of a layer flipped",
		[]string{"rollback", "plan"}, []string{"built"}, (*cell).flipBit, false,
	},
	{
		"a layer cut short",
		[]string{"built"}, []string{"plan", "rollback"}, (*cell).cutLayer, false,
	},
	{
		"disk full",
		[]string{"promote", "receive", "npm", "pack"},
		[]string{"plan", "build", "built", "booting", "healthy", "draining", "retire"}, (*cell).fillDisk, true,
	},
}

// TestFaults breaks a push on purpose, in each phase and in each way, and looks at what is left: make test-faults.
// FAULTS=all runs the whole table, FAULTS=some a part of it, FAULTS=few each way once, as CI does.
func TestFaults(t *testing.T) {
	form := os.Getenv("FAULTS")
	if form == "" {
		t.Skip("breaks some twenty pushes: make test-faults")
	}
	tab := faultTable{}
	b := &bench{t: t, program: pausingGitd(t)}
	for _, f := range faults {
		b.on(f)
		for _, p := range phases {
			if f.tried(p.name, form) {
				t.Run(f.name+"/"+p.name, func(t *testing.T) {
					// This is inside of t.Run, so that a cell that -run leaves out does not count.
					defer func() { tab.add(f.name, p.name, !t.Failed()) }()
					b.run(t, f, p)
				})
			}
		}
	}
	t.Logf("\n%s", tab)
}

// tried reports whether the fault is tried in a phase.
func (f fault) tried(phase, form string) bool {
	switch form {
	case "few":
		return f.some[0] == phase
	case "all":
		return slices.Contains(f.some, phase) || slices.Contains(f.rest, phase)
	}
	return slices.Contains(f.some, phase)
}

// pausingGitd builds a gitd that waits at each transition until the test lets it go on.
func pausingGitd(t *testing.T) string {
	t.Helper()
	return overlaid(t, "gitd", "gitd-faults", map[string]string{"main.go": filepath.Join("testdata", "faults", "main.go")})
}

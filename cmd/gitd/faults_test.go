package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// phase is a moment of a push: the daemon has logged this line, and whoever
// logged it waits.
type phase struct {
	name string
	line string // regular expression; empty: before the daemon knows of the push
}

// phases are in the order in which a push passes through them.
var phases = []phase{
	{"receive", ""},
	{"plan", `"step":"Node.js app detected"`},
	{"npm", `"step":"Installing dependencies"`},
	{"build", `"step":"Building"`},
	{"pack", `"step":"Packing"`},
	{"booting", `"step":"Booting v`},
	{"healthy", `"step":"Switching traffic"`},
	{"promote", `"message":"traffic switched"`},
	{"draining", `"message":"release is live"`},
	{"retire", `"message":"machine drained"`},
}

// childFault needs a child that does not end by itself.
const childFault = "kill -9 the builder's child"

// fault is one way to break things.
type fault struct {
	name  string
	ci    []string      // phases of the bounded form
	rest  []string      // further phases, with FAULTS=all
	do    func(c *cell) // called while the daemon waits in the phase
	small bool          // the state is on a small file system of its own
}

var faults = []fault{
	{
		"kill -9 gitd",
		[]string{"receive", "build", "booting", "promote", "draining"},
		[]string{"plan", "npm", "pack", "healthy", "retire"}, (*cell).killDaemon, false,
	},
	{
		"kill -9 gitd, last WAL frame cut",
		[]string{"booting", "promote"},
		[]string{"plan", "npm", "build", "pack", "healthy", "draining", "retire"}, (*cell).cutLog, false,
	},
	{
		childFault,
		[]string{"npm", "build", "pack"}, nil, (*cell).killBuild, false,
	},
	{
		"kill -9 git receive-pack",
		[]string{"receive", "booting"},
		[]string{"plan", "npm", "build", "pack", "healthy", "promote", "draining"}, (*cell).killReceivePack, false,
	},
	{
		"kill -9 the git client",
		[]string{"receive", "build"},
		[]string{"plan", "npm", "pack", "booting", "healthy", "promote", "draining"}, (*cell).killClient, false,
	},
	{
		"kill -9 QEMU of the candidate",
		[]string{"booting", "healthy"}, nil, (*cell).killCandidate, false,
	},
	{
		"kill -9 QEMU of the live machine",
		[]string{"booting", "promote"},
		[]string{"receive", "plan", "npm", "build", "pack", "healthy", "draining", "retire"}, (*cell).killLive, false,
	},
	{
		"disk full",
		[]string{"pack", "healthy"},
		[]string{"receive", "plan", "npm", "build", "booting", "promote", "draining", "retire"}, (*cell).fillDisk, true,
	},
}

// TestFaults breaks a push on purpose, in each phase and in each way, and
// looks at what is left: make test-faults. FAULTS=all is all of the table,
// FAULTS=some the part that CI runs.
func TestFaults(t *testing.T) {
	form := os.Getenv("FAULTS")
	if form == "" {
		t.Skip("breaks some twenty pushes: make test-faults")
	}
	tab := faultTable{}
	b := &bench{t: t, program: pausingGitd(t)}
	for _, f := range faults {
		b.on(f.small)
		for _, p := range phases {
			if slices.Contains(f.ci, p.name) || form == "all" && slices.Contains(f.rest, p.name) {
				t.Run(f.name+"/"+p.name, func(t *testing.T) {
					// Here, so that a cell that -run leaves out does not count.
					defer func() { tab.add(f.name, p.name, !t.Failed()) }()
					b.run(t, f, p)
				})
			}
		}
	}
	t.Logf("\n%s", tab)
}

// pausingGitd builds a gitd whose log is the test's to hold.
func pausingGitd(t *testing.T) string {
	t.Helper()
	main, err := filepath.Abs("main.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]map[string]string{
		"Replace": {main: filepath.Join(filepath.Dir(main), "testdata", "faults", "main.go")},
	})
	if err != nil {
		t.Fatal(err)
	}
	overlay, out := filepath.Join(t.TempDir(), "overlay.json"), filepath.Join(bin, "gitd-faults")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("go", "build", "-overlay", overlay, "-o", out, "gitd/cmd/gitd").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	return out
}

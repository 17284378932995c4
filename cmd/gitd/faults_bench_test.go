package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// smallDisk is the size of the file system that the tests fill. The base, Node and npm take half of it.
const smallDisk = "700m"

// bench keeps one gitd for many cells, and starts a new one after a cell that has failed.
type bench struct {
	t        *testing.T
	program  string
	small    bool
	unfolded bool // the ledger's log is never folded
	rig      *rig
	n        int // commits so far
}

// on chooses what the state of a fault is on, and whether the ledger is tended.
func (b *bench) on(f fault) {
	unfolded := f.name == cutFault
	if (b.small != f.small || b.unfolded != unfolded) && b.rig != nil {
		b.rig.cleanup()
		b.rig = nil
	}
	b.small, b.unfolded = f.small, unfolded
}

// open starts a gitd with one app that is live.
func (b *bench) open(t *testing.T) {
	t.Helper()
	parent := ""
	if b.small {
		parent = smallFS(t, b.t)
	}
	r := newRigOf(t, b.t, b.program, parent)
	r.daemon = []string{"PATH=" + packer(r) + ":" + os.Getenv("PATH")}
	if b.unfolded {
		r.daemon = append(r.daemon, "GITD_TEST_UNFOLDED=1")
	}
	r.observed(b.t)
	r.serve()
	r.admit()
	r.repo("app", "testdata/faults/app")
	r.edit("app", "the app", b.change(""))
	pushed(t, r, "app")
	b.rig = r
}

// smallFS makes a file system that is soon full. It lasts as long as owner.
func smallFS(t, owner *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system to be filled")
	}
	dir, err := os.MkdirTemp("/tmp", "gf")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=711,size="+smallDisk, "full", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	owner.Cleanup(func() {
		exec.Command("umount", "-l", dir).Run() //nolint:errcheck // nothing more can be done
		os.Remove(dir)                          //nolint:errcheck // the test has ended
	})
	return dir
}

// run runs one cell of the table.
func (b *bench) run(t *testing.T, f fault, p phase) {
	if b.rig == nil {
		b.open(t)
	}
	b.rig.t = t
	c := &cell{rig: b.rig, b: b, phase: p}
	defer func() {
		c.release()
		if t.Failed() {
			if c.push != nil {
				t.Logf("the push:\n%s", c.push.out)
			}
			t.Logf("the log:\n%s", c.journal.tail(80))
			b.rig.cleanup()
			b.rig = nil
		}
	}()
	c.begin(f)
	f.do(c)
	c.goOn()
	c.settle("after " + f.name)
	c.told()
	b.rig.edit("app", "after "+f.name+", "+p.name, b.change(""))
	pushed(t, b.rig, "app")
	c.settle("after the next push")
}

// change returns the files of a commit that differs from all others, with a package.json that makes its push pass
// through phase.
func (b *bench) change(phase string) map[string]string {
	b.n++
	script := map[string]string{
		"npm":        `"preinstall": "node -e 1", `,
		"npm held":   `"preinstall": "` + hold + `", `,
		"build":      `"build": "node -e 1", `,
		"build held": `"build": "` + hold + `", `,
	}[phase]
	files := map[string]string{
		"mark.txt":  fmt.Sprintln("mark", b.n),
		"large.txt": "",
		"package.json": `{"name": "faults", "version": "1.0.0", "private": true, "dependencies": {"ws": "8.18.0"},
  "scripts": {` + script + `"start": "node server.js"}}
`,
	}
	if phase == "receive" {
		files["large.txt"] = noise(b.n)
	}
	return files
}

// hold is a script that prints "held" and does not end.
const hold = "node -e \\\"console.log('held');setInterval(Date,1000)\\\""

// noise returns a megabyte of hexadecimal digits, which git cannot pack smaller than half.
func noise(n int) string {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b) //nolint:errcheck // it never fails
	return hex.EncodeToString(b[:1<<19])
}

// faultTable is the results of all cells.
type faultTable map[string]map[string][2]int // by fault and phase: runs, survived

func (f faultTable) add(fault, phase string, survived bool) {
	if f[fault] == nil {
		f[fault] = map[string][2]int{}
	}
	n := f[fault][phase]
	n[0]++
	if survived {
		n[1]++
	}
	f[fault][phase] = n
}

// String returns the table in Markdown. Each cell is "survived/runs".
func (f faultTable) String() string {
	var b strings.Builder
	b.WriteString("| fault |")
	for _, p := range phases {
		b.WriteString(" " + p.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(phases)) + "\n")
	for _, x := range faults {
		if f[x.name] == nil {
			continue
		}
		b.WriteString("| " + x.name + " |")
		for _, p := range phases {
			text := ""
			if n := f[x.name][p.name]; n[0] > 0 {
				text = fmt.Sprintf("%d/%d", n[1], n[0])
			}
			b.WriteString(" " + text + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

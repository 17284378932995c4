package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// cell is one fault in one phase.
type cell struct {
	*rig
	b     *bench
	phase phase
	head  string // the commit that the push is to make live
	trap  *trap[core.Transition]
	push  *push
	gate  *gate // where a process other than gitd waits
}

// begin starts a push and waits until it is in the phase.
func (c *cell) begin(f fault) {
	c.t.Helper()
	change := c.phase.name
	if f.name == childFault {
		change += " held"
	}
	if c.phase.name == "rollback" {
		c.head = c.older().Commit
		c.git("app", "tag", "-f", "older", c.head)
		return // the push comes after the fault
	}
	c.edit("app", f.name+", "+c.phase.name, c.b.change(change))
	c.head = strings.TrimSpace(c.git("app", "rev-parse", "HEAD"))
	switch c.phase.name {
	case "receive":
		c.beginReceive()
	case "draining":
		c.beginDraining()
	default:
		c.trap = c.observer.at(c.phase.at)
		c.push = c.rig.push("app", "main")
		c.reached(c.trap)
	}
}

// reached waits until a trap has stopped gitd.
func (c *cell) reached(tr *trap[core.Transition]) {
	c.t.Helper()
	select {
	case <-tr.hit:
	case <-c.push.done:
		c.t.Fatalf("the push ended before %q", tr.what)
	case <-c.ended:
		c.t.Fatalf("gitd ended before %q", tr.what)
	case <-time.After(eventLimit):
		c.t.Fatalf("no %q within %s", tr.what, eventLimit)
	}
}

// beginReceive starts a push whose client stops in the middle of its pack.
func (c *cell) beginReceive() {
	c.t.Helper()
	c.gate = newGate(c.t, c.work)
	cmd := c.gitCommand("app", "push", "nodeos", "main")
	for i, v := range cmd.Env {
		if ssh, ok := strings.CutPrefix(v, "GIT_SSH_COMMAND="); ok {
			cmd.Env[i] = "GIT_SSH_COMMAND=" + c.gate.script(
				"{ head -c 300000; echo half >$reached; read go <$go; cat; } | "+ssh+` "$@"`)
		}
	}
	// Without this, git would run the program once more, to find out which ssh it is.
	cmd.Env = append(cmd.Env, "GIT_SSH_VARIANT=ssh")
	c.push = c.start(cmd)
	c.gate.wait()
	c.check(c.eventually(func() error {
		if len(c.named("git", "receive-pack")) == 0 {
			return errors.New("no receive-pack runs")
		}
		return nil
	}))
}

// beginDraining starts a push and, just before its switch, a request that
// keeps the old machine busy.
func (c *cell) beginDraining() {
	c.t.Helper()
	before := c.observer.at(core.AtSwitch)
	defer c.observer.release(before)
	c.push = c.rig.push("app", "main")
	c.reached(before)
	req, err := c.request(http.MethodGet, "app", "/slow?10000", nil)
	c.check(err)
	res, err := c.client(false).Do(req) // it returns with the first half of the answer
	c.check(err)
	c.t.Cleanup(func() { res.Body.Close() })
	c.trap = c.observer.at(c.phase.at)
	c.observer.release(before)
	c.reached(c.trap)
}

// check ends the cell if the test itself fails, which says nothing about gitd.
func (c *cell) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// goOn ends the pause, waits until the client ends, and starts gitd again if it was killed.
func (c *cell) goOn() {
	c.t.Helper()
	c.release()
	select {
	case <-c.push.done:
	case <-time.After(eventLimit):
		c.t.Fatalf("the client waits for %s after the fault", eventLimit)
	}
	if !c.alive() {
		c.serve()
	}
}

// release lets everything go on that waits, however the cell ends.
func (c *cell) release() {
	if c.trap != nil {
		c.observer.release(c.trap)
	}
	if c.gate != nil {
		c.gate.open()
	}
}

func (c *cell) killDaemon() { c.kill() }

// cutLog does what a power cut does in the middle of the ledger's last write.
func (c *cell) cutLog() {
	c.kill()
	log := filepath.Join(c.state, "gitd.db-wal")
	info, err := os.Stat(log)
	c.check(err)
	if info.Size() < 4096 {
		c.t.Fatalf("there is no frame to cut: the log has %d bytes", info.Size())
	}
	c.check(os.Truncate(log, info.Size()-100))
}

// killBuild kills the process that the builder runs: bubblewrap around npm, or the packer.
func (c *cell) killBuild() {
	if c.phase.name == "pack" {
		packs(c.rig, "exec sleep 600")
		defer packs(c.rig, "exec /usr/bin/mkfs.erofs \"$@\"")
		c.observer.release(c.trap)
		c.check(c.eventually(func() error {
			if len(c.named("bwrap", "mkfs.erofs")) == 0 {
				return errors.New("the packer does not run")
			}
			return nil
		}))
		c.kill9(c.named("bwrap", "mkfs.erofs")...)
		return
	}
	c.observer.release(c.trap)
	c.check(c.eventually(func() error {
		if !strings.Contains(c.push.out.String(), "held") {
			return errors.New("the held script does not run")
		}
		return nil
	}))
	c.kill9(c.named("bwrap", "--hostname build")...) // those of git have another name
}

func (c *cell) killReceivePack() { c.kill9(c.named("git", "receive-pack")...) }

func (c *cell) killClient() { c.push.kill() }

// killCandidate kills the machine of the newest release, as soon as it runs.
func (c *cell) killCandidate() {
	c.observer.release(c.trap)
	c.killMachine(c.releases()[0].Version)
}

// killLive kills the machine of the release that is live in the ledger now.
func (c *cell) killLive() {
	live, err := c.live()
	c.check(err)
	c.killMachine(live.Version)
}

func (c *cell) killMachine(version int) {
	c.t.Helper()
	name := fmt.Sprintf("guest=app-v%d-", version)
	c.check(c.eventually(func() error {
		if len(c.named("qemu-system", name)) == 0 {
			return fmt.Errorf("no machine of v%d runs", version)
		}
		return nil
	}))
	c.kill9(c.named("qemu-system", name)...)
}

// named returns the processes of this gitd whose name begins with name and whose arguments contain arg.
func (c *cell) named(name, arg string) []process {
	var found []process
	for _, p := range c.processes() {
		if strings.HasPrefix(p.name, name) && strings.Contains(p.line, arg) {
			found = append(found, p)
		}
	}
	return found
}

// kill9 kills processes. There must be at least one.
func (c *cell) kill9(list ...process) {
	c.t.Helper()
	if len(list) == 0 {
		c.t.Fatalf("there is nothing to kill; what runs: %v", c.processes())
	}
	for _, p := range list {
		// When bubblewrap was killed, its first child may have ended already.
		if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			c.t.Fatal(err)
		}
	}
}

// fillDisk takes all the space there is until the push has ended. During that time the app must answer and the ledger
// must be readable.
func (c *cell) fillDisk() {
	filler := filepath.Join(c.state, "filler")
	fill(c.t, filler)
	defer os.Remove(filler) //nolint:errcheck // the test has ended
	c.goOn()
	if err := c.eventually(c.answers); err != nil {
		c.t.Errorf("while the disk is full: %v", err)
	}
}

// flipBit changes one bit of a layer that the push needs.
func (c *cell) flipBit() {
	c.damage(func(b []byte, at int) []byte {
		b[at] ^= 1
		return b
	})
}

// cutLayer cuts off the end of a layer that the push needs, in the middle of its contents.
func (c *cell) cutLayer() {
	c.damage(func(b []byte, at int) []byte { return b[:at] })
}

// damage changes a layer: the layer of the dependencies, before the builder finds it again; the layer of the candidate,
// before it boots; or that of the release to go back to.
func (c *cell) damage(change func(b []byte, at int) []byte) {
	c.t.Helper()
	switch c.phase.name {
	case "plan":
		path, b := c.dependencies()
		c.check(os.WriteFile(path, change(b, len(b)/2), 0o644))
	case "built":
		c.damageApp(c.head, change)
	case "rollback":
		c.damageApp(c.head, change)
		c.push = c.rig.push("app", "older")
	}
}

// damageApp changes the layer of a commit's files, at the mark that the app answers with.
func (c *cell) damageApp(commit string, change func(b []byte, at int) []byte) {
	c.t.Helper()
	mark := c.git("app", "show", commit+":mark.txt")
	for path, b := range c.layers() {
		if at := bytes.Index(b, []byte(mark)); at >= 0 {
			c.check(os.WriteFile(path, change(b, at), 0o644))
			return
		}
	}
	c.t.Fatalf("no layer has %q in it", mark)
}

// dependencies finds the layer of node_modules: the largest layer without a mark.
func (c *cell) dependencies() (path string, content []byte) {
	for p, b := range c.layers() {
		if len(b) > len(content) && !bytes.Contains(b, []byte("mark ")) {
			path, content = p, b
		}
	}
	return path, content
}

func (c *cell) layers() map[string][]byte {
	c.t.Helper()
	files, err := filepath.Glob(filepath.Join(c.state, "layers", "*.erofs"))
	c.check(err)
	all := map[string][]byte{}
	for _, f := range files {
		all[f], err = os.ReadFile(f)
		c.check(err)
	}
	return all
}

// older returns a release that can be gone back to.
func (c *cell) older() release {
	c.t.Helper()
	for {
		for _, r := range c.releases() {
			if r.State == core.Retired {
				return r
			}
		}
		c.edit("app", "one more", c.b.change(""))
		pushed(c.t, c.rig, "app")
		c.settle("before the fault")
	}
}

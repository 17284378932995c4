package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// release is what `gitd releases --json` says of one release.
type release struct {
	Version int
	State   core.State
	Commit  string
	Reason  string
}

// releases returns the releases of the app, the newest first.
func (c *cell) releases() []release {
	c.t.Helper()
	var list []release
	c.check(json.Unmarshal([]byte(c.gitd("releases", "app", "--json")), &list))
	return list
}

// live finds the live release; there must be exactly one.
func (c *cell) live() (release, error) {
	var live []release
	for _, r := range c.releases() {
		if r.State == core.Live {
			live = append(live, r)
		}
	}
	if len(live) != 1 {
		return release{}, fmt.Errorf("%d releases are live: %+v", len(live), live)
	}
	return live[0], nil
}

// settle waits until everything is as it must be when no deployment runs.
func (c *cell) settle(when string) {
	c.t.Helper()
	if err := c.eventually(c.settled); err != nil {
		c.t.Errorf("%s: %v", when, err)
	}
}

// told compares the ledger with what the client was told: the push was accepted and is live, or it was rejected and is
// not live. A client whose connection broke was told nothing.
func (c *cell) told() {
	c.t.Helper()
	live, err := c.live()
	c.check(err)
	switch {
	case c.push.err == nil && live.Commit != c.head:
		c.t.Errorf("the push succeeded, and v%d (%.7s) is live instead of %.7s", live.Version, live.Commit, c.head)
	case strings.Contains(c.push.out.String(), "remote rejected") && live.Commit == c.head:
		c.t.Errorf("the push was rejected, and is live as v%d", live.Version)
	}
}

// settled returns an error for what is not (yet) as it must be.
func (c *cell) settled() error {
	for _, r := range c.releases() {
		if r.State != core.Live && r.State != core.Retired && r.State != core.Failed {
			return fmt.Errorf("v%d is still %s", r.Version, r.State)
		}
	}
	if err := c.answers(); err != nil {
		return err
	}
	live, err := c.live()
	if err != nil {
		return err
	}
	if refs := c.git("app", "ls-remote", "nodeos", "refs/heads/main"); !strings.HasPrefix(refs, live.Commit) {
		return fmt.Errorf("main is %.7s, and v%d (%.7s) is live", refs, live.Version, live.Commit)
	}
	machine, err := c.onlyMachine(live.Version)
	if err != nil {
		return err
	}
	return leftovers(c.state, machine)
}

// answers compares what the app says with the ledger and with the commit.
func (c *cell) answers() error {
	live, err := c.live()
	if err != nil {
		return err
	}
	status, body, err := c.get(c.client(false), "app", "/")
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("status %d: %s", status, firstLine(body))
	}
	mark := strings.TrimSpace(c.git("app", "show", live.Commit+":mark.txt"))
	want := fmt.Sprintf(`{"release":"v%d","commit":%q,"mark":%q,"ws":"function"}`, live.Version, live.Commit, mark)
	if body != want {
		return fmt.Errorf("the answer is %s, want %s", body, want)
	}
	return nil
}

var machineName = regexp.MustCompile(`app-v\d+-[0-9a-f]+`)

// onlyMachine returns the name of the one machine that runs: a QEMU and the process around it. It must be a machine of
// version, and no other process of this gitd may run.
func (c *cell) onlyMachine(version int) (string, error) {
	list := c.processes()
	if len(list) != 2 || len(c.named("qemu-system", "")) != 1 || len(c.named("gitd-machine", "")) != 1 {
		return "", fmt.Errorf("%d processes run, want those of one machine: %v", len(list), list)
	}
	name := machineName.FindString(list[0].line)
	if other := machineName.FindString(list[1].line); other != name {
		return "", fmt.Errorf("a QEMU of %s runs, and what is around that of %s", name, other)
	}
	if !strings.HasPrefix(name, fmt.Sprintf("app-v%d-", version)) {
		return "", fmt.Errorf("machine %q runs, and v%d is live", name, version)
	}
	return name, nil
}

// temporary matches the names of files that exist while something is written, and must not exist at other times.
var temporary = regexp.MustCompile(`(^|/)(tmp_[^/]*|[^/]*incoming[^/]*|[^/]*\.(lock|tmp|new)|\.[^/]+)$`)

// leftovers finds files of what no longer runs: files of other machines than machine, files of builds, and half-written
// files.
func leftovers(state, machine string) error {
	var errs []error
	err := filepath.WalkDir(state, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it has just gone
		}
		name := strings.TrimPrefix(path, state+"/")
		if e.IsDir() && (name == "cache" || name == ".cache") {
			return fs.SkipDir // Node, npm and npm's cache: checked when they are used; libvirt's of its user
		}
		other := machineName.FindString(name)
		lock := e.Name() == ".lock" // one for a folder, always there
		if other != "" && other != machine || (temporary.MatchString(name) || filepath.Dir(name) == "builds") && !lock {
			errs = append(errs, fmt.Errorf("left over: %s", name))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

// fill takes all the space of a file system.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 16 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, fs.ErrInvalid) && !strings.Contains(err.Error(), "no space") {
			t.Fatal(err)
		}
		err = nil
	}
}

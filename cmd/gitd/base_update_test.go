package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/nodeversion"
)

// based is how many apps TestBaseUpdate moves.
var based = flag.Int("based", 0, "apps that TestBaseUpdate moves from one base to another")

// fragile is the app that runs on one version of Node only.
const fragile = "fragile"

// TestBaseUpdate: Node gets a new version, and one command moves all apps onto it while each of them is asked all the
// time. No request fails; the app that does not run on the new Node stays, and is named. Another command moves all of
// them back. make test-base-update does it with ten.
func TestBaseUpdate(t *testing.T) {
	if *based == 0 {
		t.Skip("pushes apps and moves them twice: make test-base-update runs it")
	}
	if runtime.GOARCH != "amd64" {
		t.Skip("knows the name of Node's package for amd64: make test-base-update on such a host")
	}
	npm := newLateRegistry(t, nodeversion.Default)
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--registry", npm.url, "--node-wait", "0")
	r.serve()
	r.admit()
	apps := make([]string, *based)
	for i := range apps {
		apps[i] = fmt.Sprintf("app%02d", i)
	}
	apps[len(apps)/2] = fragile
	pushBased(r, apps, npm.older)
	npm.publish(r)
	list := r.gitd("base:list")
	t.Log(list)
	if strings.Count(list, npm.newer+" (npm)") != len(apps) {
		t.Errorf("base:list does not say that %s is there:\n%s", npm.newer, list)
	}

	r.saysWhatDiffers(apps[0], npm)

	asked := askAll(r, apps)
	u, code := r.bases("base:update", "--json")
	if code != 1 {
		t.Errorf("the exit code is %d, and one app has failed", code)
	}
	for _, m := range u.Apps {
		want := core.BaseMoved
		if m.App == fragile {
			want = core.BaseFailed
		}
		if m.State != want || want == core.BaseFailed && !strings.Contains(m.Reason, "exit") {
			t.Errorf("%s: %s (%s), want %s", m.App, m.State, m.Reason, want)
		}
		r.runsOn(m.App, map[core.BaseState]string{core.BaseMoved: npm.newer, core.BaseFailed: npm.older}[want])
		t.Logf("%s: %s in %s", m.App, m.State, m.Took.Round(10*time.Millisecond))
	}
	if len(u.Apps) != len(apps) {
		t.Errorf("%d of %d apps are in the answer", len(u.Apps), len(apps))
	}
	if list := r.gitd("releases", apps[0]); !strings.Contains(list, "base update") {
		t.Errorf("the release does not say where it comes from:\n%s", list)
	}

	back, code := r.bases("base:rollback", "--json")
	if code != 0 || len(back.Apps) != len(apps)-1 {
		t.Errorf("the rollback ends with %d, for %d apps", code, len(back.Apps))
	}
	for _, app := range apps {
		r.runsOn(app, npm.older)
	}
	asked.end(t)
	if *based > 2 {
		r.killedMeanwhile(apps, npm.newer)
	}
	r.halt()
}

// killedMeanwhile kills gitd while an update boots its second app. The next gitd goes on with the update, unasked.
func (r *rig) killedMeanwhile(apps []string, node string) {
	r.t.Helper()
	mark := r.mark()
	cmd := exec.Command(r.program, "base:update")
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GITD_STATE=" + r.state}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	_, err := r.wait("second move", func(line string) bool {
		return strings.Contains(line, "deployment started") && strings.Contains(line, "base update") && strings.Contains(line, apps[1])
	}, mark, r.ended)
	if err != nil {
		r.t.Fatal(err)
	}
	r.kill()
	if err := cmd.Wait(); err == nil {
		r.t.Error("the command ends well, though gitd was killed")
	}
	r.serve()
	for _, app := range apps {
		want := " v" + node + "\n"
		if app == fragile {
			continue
		}
		if err := r.eventually(func() error {
			_, body, err := r.get(r.client(false), app, "/")
			if err == nil && !strings.HasSuffix(body, want) {
				err = fmt.Errorf("%s answers %q", app, body)
			}
			return err
		}); err != nil {
			r.t.Error(err)
		}
	}
	if err := r.eventually(func() error {
		if out := r.gitd("base"); !strings.Contains(out, fmt.Sprintf("%d moved, 0 stay, 1 failed\n", len(apps)-1)) {
			return fmt.Errorf("the update is not over:\n%s", out)
		}
		return nil
	}); err != nil {
		r.t.Error(err)
	}
}

// saysWhatDiffers checks what base and base:diff say before an update, and who may see it.
func (r *rig) saysWhatDiffers(app string, npm *lateRegistry) {
	r.t.Helper()
	for args, want := range map[string]string{
		"base":                             fmt.Sprintf("%s (%d)", npm.older, *based),
		"base:diff " + app:                 "/usr/bin/node",
		"base:update --schedule 0_3_*_*_*": "next at",
		"base:update --schedule off":       "by `base:update` only",
		"base:update --node 99":            "and no newer 99 is published",
	} {
		words := strings.Fields(args)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "_", " ")
		}
		out := r.gitd(words...)
		r.t.Logf("gitd %s\n%s", args, out)
		if !strings.Contains(out, want) {
			r.t.Errorf("gitd %s does not say %q", args, want)
		}
	}
	for args, want := range map[string]string{
		"base:update --schedule never":                "is no schedule",
		"base:update nope":                            `there is no app "nope"`,
		"base:update --schedule off " + app:           "stands alone",
		"base:diff 0123456789abcdef aaaaaaaaaaaaaaaa": "there is no base",
	} {
		if _, err := r.try(strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			r.t.Errorf("gitd %s: %v, want %q", args, err, want)
		}
	}
}

// pushBased pushes the apps, and checks that they run on a Node.
func pushBased(r *rig, apps []string, node string) {
	r.t.Helper()
	var waits []*push
	for i, app := range apps {
		r.repo(app, "testdata/bases")
		if app == fragile {
			r.edit(app, "only one Node", map[string]string{"only.txt": "v" + node})
		}
		waits = append(waits, r.push(app, "main"))
		if i > 0 { // two at a time
			<-waits[i-1].done
		}
	}
	for i, p := range waits {
		if <-p.done; p.err != nil {
			r.t.Fatalf("push of %s: %v\n%s", apps[i], p.err, p.out)
		}
		r.runsOn(apps[i], node)
	}
}

// bases runs a command that moves apps, and returns its JSON and its exit code.
func (r *rig) bases(args ...string) (u struct {
	Apps []core.BaseMove `json:"apps"`
}, code int) {
	r.t.Helper()
	cmd := exec.Command(r.program, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GITD_STATE=" + r.state}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err := json.Unmarshal(out, &u); err != nil {
		r.t.Fatalf("%s: %v\n%s\n%s\n%s", args[0], err, out, &said, r.tail(30))
	}
	r.t.Logf("%s\n%s", args[0], &said)
	if err == nil {
		return u, 0
	}
	return u, cmd.ProcessState.ExitCode()
}

// runsOn checks on which Node an app answers.
func (r *rig) runsOn(app, node string) {
	r.t.Helper()
	status, body, err := r.get(r.client(false), app, "/")
	if err != nil || status != http.StatusOK || !strings.HasSuffix(strings.TrimSpace(body), " v"+node) {
		r.t.Errorf("%s answers %d %q (%v), and not with Node %s", app, status, body, err, node)
	}
}

// asking is a client of each app.
type asking struct {
	stop chan struct{}
	work sync.WaitGroup

	mu   sync.Mutex
	sent int
	bad  []string
}

func askAll(r *rig, apps []string) *asking {
	a := &asking{stop: make(chan struct{})}
	for i, app := range apps {
		c := r.client(i%2 == 0)
		a.work.Go(func() { a.ask(r, c, app) })
	}
	return a
}

func (a *asking) ask(r *rig, c *http.Client, app string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-tick.C:
		}
		begun := time.Now()
		status, _, err := r.get(c, app, "/")
		a.mu.Lock()
		a.sent++
		if err != nil || status != http.StatusOK {
			a.bad = append(a.bad, fmt.Sprintf("%s at %s: %d %v", app, begun.Format(time.TimeOnly), status, err))
		}
		a.mu.Unlock()
	}
}

// end ends the clients; no request may have failed.
func (a *asking) end(t *testing.T) {
	t.Helper()
	close(a.stop)
	a.work.Wait()
	t.Logf("%d requests, %d failed", a.sent, len(a.bad))
	for _, b := range a.bad {
		t.Error(b)
	}
	if a.sent == 0 {
		t.Error("nothing was asked")
	}
}

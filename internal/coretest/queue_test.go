package coretest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// gate stops builds of one commit until the test opens it or the builds are cancelled.
type gate struct {
	commit  string
	reached chan struct{}
	open    chan struct{}
	ended   chan struct{} // closed when a build was cancelled in it
}

// holdBuild makes the builds of a commit wait.
func (w *world) holdBuild(commit string) *gate {
	g := &gate{commit: commit, reached: make(chan struct{}), open: make(chan struct{}), ended: make(chan struct{})}
	before := w.build
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		if src.Commit != commit {
			return before(ctx, src, r)
		}
		close(g.reached)
		select {
		case <-g.open:
			return before(ctx, src, r)
		case <-ctx.Done():
			close(g.ended)
			return core.Manifest{}, ctx.Err()
		}
	}
	return g
}

func receives(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("not in time: %s", what)
	}
}

// TestNewerPushReplacesABuild: the older build ends at once, its pusher is told who took its place, and the newer
// commit becomes live.
func TestNewerPushReplacesABuild(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	g := w.holdBuild(commit(2))
	old := w.beginMain(commit(1), commit(2))
	receives(t, "the build begins", g.reached)
	if reject, out := w.push(commit(1), commit(3)); reject != "" {
		t.Fatalf("the newer push: %s\n%s", reject, out)
	}
	receives(t, "the older build is ended", g.ended)
	reject, out := old.end()
	if !strings.Contains(reject, "superseded by a push of 0000000 by ada") || !strings.Contains(out, "only the newest push is deployed") {
		t.Errorf("the older push: %q\n%s", reject, out)
	}
	w.wants(map[int]core.State{1: core.Retired, 2: core.Failed, 3: core.Live})
	if r, err := w.ledger.Release(t.Context(), "shop", 2); err != nil || !strings.Contains(r.Reason, "superseded") {
		t.Errorf("v2: %+v, %v", r, err)
	}
}

// TestNewerPushReplacesACandidate: a release whose machine boots is not live yet, so a newer push can take its place
// too, and the machine is not left running.
func TestNewerPushReplacesACandidate(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	booting := make(chan struct{})
	var once sync.Once
	w.driver.behave(func(m *fakeMachine) {
		if m.Release != 2 {
			healthy(m)
			return
		}
		once.Do(func() { close(booting) })
	})
	old := w.beginMain(commit(1), commit(2))
	receives(t, "the candidate boots", booting)
	if reject, out := w.push(commit(1), commit(3)); reject != "" {
		t.Fatalf("the newer push: %s\n%s", reject, out)
	}
	if reject, _ := old.end(); !strings.Contains(reject, "superseded") {
		t.Errorf("the older push: %q", reject)
	}
	w.eventually("one machine is left", func() bool { return w.driver.count() == 1 })
}

// TestNothingReplacesASwap: a push that comes while another one is being swapped waits and is told which push has the
// app. A third push takes the place of the second.
func TestNothingReplacesASwap(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	swapping, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.router.onSwitch = func() { once.Do(func() { close(swapping); <-goOn }) }
	first := w.beginMain(commit(1), commit(2))
	receives(t, "the swap begins", swapping)
	second := w.beginMain(commit(1), commit(3))
	second.says("Waiting: number 1 in the queue of the app. It has: a push of 0000000 by ada, for ")
	queue := w.core.QueueOf("shop")
	if len(queue) != 2 || queue[0].Position != 0 || queue[1].Position != 1 || queue[1].By != "ada" {
		t.Errorf("queue: %+v", queue)
	}
	third := w.beginMain(commit(1), commit(4))
	if reject, _ := second.end(); !strings.Contains(reject, "superseded") {
		t.Errorf("the second: %q", reject)
	}
	third.says("Waiting: number 1")
	close(goOn)
	if reject, out := first.end(); reject != "" {
		t.Errorf("the first: %q\n%s", reject, out)
	}
	if reject, _ := third.end(); !strings.Contains(reject, "main moved to 0000000 (v2, pushed by ada) meanwhile") {
		t.Errorf("the third: %q", reject)
	}
	if v, _ := w.live(); v != 2 {
		t.Errorf("v%d is live", v)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	bob := core.Actor{Name: "bob"}
	if err := w.core.Cancel(t.Context(), bob, "shop"); err == nil || !strings.Contains(err.Error(), "nothing of shop") {
		t.Errorf("with nothing to cancel: %v", err)
	}
	g := w.holdBuild(commit(2))
	p := w.beginMain(commit(1), commit(2))
	receives(t, "the build begins", g.reached)
	if err := w.core.Cancel(t.Context(), bob, "shop"); err != nil {
		t.Fatal(err)
	}
	if reject, _ := p.end(); reject != "cancelled by bob" {
		t.Errorf("rejected %q", reject)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
	if reject, out := w.push(commit(1), commit(3)); reject != "" {
		t.Errorf("the next push: %q\n%s", reject, out)
	}
}

// TestBuildsSideBySide: apps do not wait for each other until as many builds run as are allowed. Then the next build is
// told what it waits for.
func TestBuildsSideBySide(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.limit = 2
	w.open()
	var gates []*gate
	var pushes []*pushed
	for i, app := range []string{"red", "green", "blue"} {
		gates = append(gates, w.holdBuild(commit(i+1)))
		pushes = append(pushes, w.begin(app, core.Command{Ref: "refs/heads/main", Old: none, New: commit(i + 1)}))
		if i < 2 {
			receives(t, app+" is built", gates[i].reached)
		}
	}
	pushes[2].says("Waiting: number 1 in the queue for builds. Now: the build of ")
	if o := w.core.Overview(); o.BuildLimit != 2 || len(o.Builds) != 3 || len(o.Queue) != 3 {
		t.Errorf("overview: %+v", o)
	}
	close(gates[0].open)
	receives(t, "blue is built", gates[2].reached)
	close(gates[1].open)
	close(gates[2].open)
	for _, p := range pushes {
		if reject, out := p.end(); reject != "" {
			t.Errorf("%s\n%s", reject, out)
		}
	}
}

// TestRefsAreLeftToGit: from the swap until git has moved the branch of a shallow push, nobody repairs the branch.
// Otherwise git would find it moved, and tell the pusher that the push failed.
func TestRefsAreLeftToGit(t *testing.T) {
	w := newWorld(t)
	if _, err := w.ledger.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	o := w.core.Receive(core.Push{App: "shop", By: core.Actor{Name: "ada"}, Shallow: true, Commands: []core.Command{
		{Ref: "refs/heads/main", Old: none, New: commit(1)},
	}}, nil)
	w.core.RepairRefs(t.Context(), "shop")
	if p := w.pointOf("main"); p != "" {
		t.Errorf("main was moved to %s under git's feet", p)
	}
	o.Settle()
	o.Settle()
	w.core.RepairRefs(t.Context(), "shop")
	if p := w.pointOf("main"); p != commit(1) {
		t.Errorf("main is at %q", p)
	}
}

// TestBranchMovesWithTheLedger: the disk was full after a release had become live, git could not move its branch, and
// the pusher was told that the push was rejected. Now the move is prepared before: the release and the branch both
// move, or neither does.
func TestBranchMovesWithTheLedger(t *testing.T) {
	w := newWorld(t)
	if reject, _ := w.push(none, commit(1)); reject != "" {
		t.Fatal(reject)
	}
	if p := w.pointOf("main"); p != commit(1) {
		t.Errorf("main is at %q when the release is live", p)
	}
	w.noMove = errors.New("cannot write main.lock: no space left on device")
	if reject, _ := w.push(commit(1), commit(2)); !strings.Contains(reject, "main.lock") {
		t.Errorf("rejected: %q", reject)
	}
	if v, _ := w.live(); v != 1 || w.pointOf("main") != commit(1) {
		t.Errorf("v%d is live, and main at %s", v, w.pointOf("main"))
	}
}

// wants waits until the releases of shop are in these states.
func (w *world) wants(states map[int]core.State) {
	w.t.Helper()
	w.eventually("the releases are in their states", func() bool {
		list, err := w.ledger.Releases(w.t.Context(), "shop", 0)
		if err != nil || len(list) != len(states) {
			w.t.Fatalf("%+v, %v", list, err)
		}
		for _, r := range list {
			if r.State != states[r.Version] {
				return false
			}
		}
		return true
	})
}

func (w *world) pointOf(branch string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.points[branch]
}

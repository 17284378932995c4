package coretest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// diary is an observer that keeps what it is told.
type diary struct {
	mu  sync.Mutex
	all []core.Transition
}

func (d *diary) note(x core.Transition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, x)
}

// take returns what was told since the last take, as "moment" or "moment:detail".
func (d *diary) take() (words []string, all []core.Transition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all, d.all = d.all, nil
	for _, x := range all {
		switch x.Moment {
		case core.AtPhase:
			words = append(words, "phase:"+x.Phase.Name)
		case core.AtOver:
			words = append(words, "over:"+string(x.Ended.Result)+":"+x.Ended.Phase)
		default:
			words = append(words, string(x.Moment))
		}
	}
	return words, all
}

func observedWorld(t *testing.T) (*world, *diary) {
	w, d := newWorld(t), &diary{}
	w.close()
	w.openWith(func(c *engine.Config) {
		c.Observe = d.note
		c.Traced = func(id string) bool { return id != "" }
	})
	return w, d
}

// TestStoryOfAPush: an observer learns of a push from its beginning to its end, with its phases one after the other and
// the boot of its machine.
func TestStoryOfAPush(t *testing.T) {
	w, d := observedWorld(t)
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatal(reject, out)
	}
	words, all := d.take()
	want := strings.Fields("received phase:receive phase:wait phase:wait built booting boot up phase:boot phase:health healthy switch live phase:swap served over:ok:")
	if !slices.Equal(words, want) {
		t.Errorf("the observer was told\n%v, want\n%v", words, want)
	}
	last := all[len(all)-1]
	if last.Work == nil || !last.Work.Push || last.Work.Release != 1 || last.Work.Commit != commit(1) || last.Work.Trigger != core.ByPush {
		t.Errorf("the work at its end is %+v", last.Work)
	}
	var before core.Phase
	for _, x := range all {
		if x.Moment != core.AtPhase {
			continue
		}
		if x.Phase.From.After(x.Phase.To) || before.Name != "" && !x.Phase.From.Equal(before.To) {
			t.Errorf("after %+v comes %+v", before, x.Phase)
		}
		before = x.Phase
	}
}

// TestStoryOfAFailure: in which phase a push ended, and how, is one of few words.
func TestStoryOfAFailure(t *testing.T) {
	w, d := observedWorld(t)
	w.push(none, commit(1))
	good := w.build
	for _, tt := range []struct {
		end   string
		build func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error)
	}{
		{"over:failed:plan", func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
			return core.Manifest{}, core.Reject("there is no package.json", "")
		}},
		{"over:failed:build", func(_ context.Context, _ image.Source, r *progress.Report) (core.Manifest, error) {
			r.Lap("plan")
			r.At(core.AtInstall)
			r.Lap("deps")
			r.At(core.AtBuild)
			return core.Manifest{}, core.Reject("the build failed", "")
		}},
	} {
		d.take()
		w.build = tt.build
		if reject, _ := w.push(commit(1), commit(2)); reject == "" {
			t.Fatal("the push succeeded")
		}
		if words, _ := d.take(); words[len(words)-1] != tt.end {
			t.Errorf("the push ended as %v, want %s", words, tt.end)
		}
	}
	w.build = good
	if reject, _ := w.pushRef(core.Command{Ref: "refs/heads/other", Old: none, New: commit(3)}); reject == "" {
		t.Fatal("another branch was taken")
	}
	if words, _ := d.take(); words[len(words)-1] != "over:refused:refs" {
		t.Errorf("the push of another branch ended as %v", words)
	}
}

// TestStoryOfASupersededPush: what a newer push has replaced is no failure of its build.
func TestStoryOfASupersededPush(t *testing.T) {
	w, d := observedWorld(t)
	w.push(none, commit(1))
	g := w.holdBuild(commit(2))
	old := w.beginMain(commit(1), commit(2))
	receives(t, "the build begins", g.reached)
	d.take()
	if reject, out := w.push(commit(1), commit(3)); reject != "" {
		t.Fatalf("the newer push: %s\n%s", reject, out)
	}
	old.end()
	words, _ := d.take()
	if !slices.Contains(words, "over:superseded:plan") || !slices.Contains(words, "over:ok:") {
		t.Errorf("the two pushes ended as %v", words)
	}
}

// TestTraceIsNamed: the pusher is told the name of a trace, and only where there is one.
func TestTraceIsNamed(t *testing.T) {
	w, _ := observedWorld(t)
	if _, err := w.ledger.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	id := core.NewWorkID()
	for _, push := range []core.Push{{ID: id}, {}} {
		var out syncBuffer
		push.App, push.Commands = "shop", []core.Command{{Ref: "refs/heads/other", Old: none, New: commit(1)}}
		w.core.Receive(push, &out).Settle()
		if named := strings.Contains(out.String(), "trace "+id); named != (push.ID != "") {
			t.Errorf("the push %q was told %q", push.ID, out.String())
		}
	}
}

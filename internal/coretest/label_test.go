package coretest

import (
	"os"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// labelOf is what the repository of an app says of it.
func (w *world) labelOf(app string) core.AppLabel {
	w.t.Helper()
	text, err := os.ReadFile(core.LabelFiles(w.state).App(app))
	w.must(err)
	l, err := label.ParseApp(app, text)
	w.must(err)
	return l
}

// TestLabelsFollow: when somebody is told that something is done, it stands in the app's folders too.
func TestLabelsFollow(t *testing.T) {
	w := newWorld(t)
	w.must(os.Mkdir(w.state.Repo("shop"), 0o700))
	ctx, host := t.Context(), core.Host()
	w.push(none, commit(1))
	if l := w.labelOf("shop"); l.Live() != 1 || l.App.Branch != "main" || len(l.Machines) != 1 {
		t.Errorf("after the first push: %+v", l)
	}
	w.push(commit(1), commit(2))
	if l := w.labelOf("shop"); l.Live() != 2 || len(l.Releases) != 2 {
		t.Errorf("after a push: %+v", l)
	}
	w.must(w.core.AddDomain(ctx, host, "shop", "www.example.org"))
	w.must(w.core.SetResources(ctx, host, "shop", core.Resources{MemoryMiB: 64}, nil))
	w.must(w.core.LockApp(ctx, host, "shop", "the fair"))
	if l := w.labelOf("shop"); len(l.Domains) != 1 || l.Resources.MemoryMiB != 64 || l.App.Lock.Reason != "the fair" || l.Live() != 3 {
		t.Errorf("after changes of settings: %+v", l)
	}
	w.must(w.core.UnlockApp(ctx, host, "shop"))
	w.must(w.core.PinRelease(ctx, host, "shop", 1, true))
	w.must(w.core.StopApp(ctx, host, "shop", nil))
	if l := w.labelOf("shop"); !l.App.Stopped || l.App.Lock.Held() || !l.Releases[len(l.Releases)-1].Pinned {
		t.Errorf("after a stop: %+v", l)
	}
	v := w.createVolume("data", "/data")
	w.must(os.Rename(w.state.Repo("shop"), w.state.Repo("store"))) // as the repositories do when they are told
	w.must(w.core.RenameApp(ctx, host, "shop", "store"))
	if l := w.labelOf("store"); l.App.Name != "store" || l.Releases[0].App != "store" {
		t.Errorf("after a renaming: %+v", l)
	}
	text, err := os.ReadFile(core.LabelFiles(w.state).Volume(v.ID))
	w.must(err)
	if got, err := label.ParseVolume(v.ID, text); err != nil || got.App != "store" || got.Mount != "/data" {
		t.Errorf("its volume: %+v, %v", got, err)
	}
}

// TestStartLabels: what an older gitd, or one that was killed, has left without its label gets one.
func TestStartLabels(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	v := w.createVolume("data", "/data")
	w.close()
	w.must(os.Mkdir(w.state.Repo("shop"), 0o700))
	w.must(os.Remove(core.LabelFiles(w.state).Volume(v.ID)))
	w.open()
	w.eventually("labels", func() bool {
		f, err := label.Read(w.state)
		return err == nil && len(f.Apps) == 1 && f.Apps[0].Live() == 1 && len(f.Volumes) == 1
	})
}

// TestLedgerFromLabels: a ledger that is lost is made again from what the folders tell. The machine that runs goes on.
func TestLedgerFromLabels(t *testing.T) {
	w := newWorld(t)
	w.must(os.Mkdir(w.state.Repo("shop"), 0o700))
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	w.createVolume("data", "/data")
	before, err := w.ledger.Machines(t.Context())
	w.must(err)
	w.close()
	w.must(os.Remove(w.state.Ledger()))

	var told []string
	adopt := func() {
		l, err := ledger.Open(t.Context(), w.state.Ledger())
		w.must(err)
		w.must(label.Adopt(t.Context(), w.state, l, core.Host(), func(s string) { told = append(told, s) }))
		w.must(l.Close())
	}
	adopt()
	if len(told) != 2 {
		t.Errorf("told %q", told)
	}
	adopt() // it knows all of it now
	if len(told) != 2 {
		t.Errorf("told again %q", told)
	}
	w.open()
	w.eventually("served", func() bool { v, answer := w.live(); return v == 2 && answer != "" })
	after, err := w.ledger.Machines(t.Context())
	if err != nil || len(after) != 1 || len(before) == 0 || after[0].ID != before[len(before)-1].ID {
		t.Errorf("machines before %+v, after %+v, %v", before, after, err)
	}
	if volumes, err := w.ledger.Volumes(t.Context(), "shop"); err != nil || len(volumes) != 1 || volumes[0].Mount != "/data" {
		t.Errorf("volumes %+v, %v", volumes, err)
	}
	w.must(w.core.Rollback(t.Context(), core.Host(), "shop", 1, nil))
	if v, _ := w.live(); v != 3 {
		t.Errorf("after a rollback v%d is live", v)
	}
}

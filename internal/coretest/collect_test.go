package coretest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// pushes pushes commits 1 to n, one after the other.
func (w *world) pushes(n int) {
	w.t.Helper()
	old := none
	for i := 1; i <= n; i++ {
		if reject, out := w.push(old, commit(i)); reject != "" {
			w.t.Fatalf("rejected %q:\n%s", reject, out)
		}
		old = commit(i)
	}
}

func (w *world) hasLayer(n int) bool {
	_, err := os.Stat(w.state.Layer(commit(n)))
	return err == nil
}

// waitUntilGone waits for the collections that remove these layers. An image whose release still drains when a
// collection looks is removed by the next one, which may have been asked for already or not: it is asked for here.
func (w *world) waitUntilGone(layers ...int) {
	w.t.Helper()
	for _, n := range layers {
		w.eventually(fmt.Sprintf("layer %d is gone", n), func() bool {
			w.core.Soon("")
			return !w.hasLayer(n)
		})
	}
}

// TestCollection: with --keep 2, the images of the last two releases and of a pinned one stay; the others go.
func TestCollection(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.keep = 2
	w.open()
	w.pushes(2)
	if err := w.core.PinRelease(t.Context(), core.Host(), "shop", 1, true); err != nil {
		t.Fatal(err)
	}
	old := commit(2)
	for n := 3; n <= 5; n++ {
		if reject, out := w.push(old, commit(n)); reject != "" {
			t.Fatalf("rejected %q:\n%s", reject, out)
		}
		old = commit(n)
	}
	w.waitUntilGone(2, 3)
	for n, want := range map[int]bool{1: true, 2: false, 3: false, 4: true, 5: true} {
		if got := w.hasLayer(n); got != want {
			t.Errorf("the layer of v%d is there: %t, want %t", n, got, want)
		}
	}
	// The next collection does not read of those that are gone: a deployment must not take longer for each that was.
	images, err := w.ledger.Images(t.Context())
	if err != nil || len(images) != 3 {
		t.Errorf("the ledger tells collections of %d images, want 3 (%v)", len(images), err)
	}
}

// TestRollbackToWhatIsGone: a rollback to an image that is gone is refused before anything is changed, and the refusal
// says how to deploy that commit nevertheless.
func TestRollbackToWhatIsGone(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.keep = 1
	w.open()
	w.pushes(4)
	w.waitUntilGone(1, 2)
	err := w.core.Rollback(t.Context(), core.Host(), "shop", 1, nil)
	if err == nil || !strings.Contains(err.Error(), "the image of v1 is no longer kept") {
		t.Fatalf("Rollback: %v", err)
	}
	if v, answer := w.live(); v != 4 || answer != "v4" {
		t.Errorf("v%d answers %q", v, answer)
	}
	if err := w.core.PinRelease(t.Context(), core.Host(), "shop", 1, true); err == nil {
		t.Error("an image that is gone was pinned")
	}
	reject, out := w.pushRef(core.Command{Ref: "refs/tags/v1", Old: none, New: commit(1)})
	if reject != "" || !strings.Contains(out, "no longer kept: it is built again") {
		t.Errorf("tag: rejected %q:\n%s", reject, out)
	}
}

// TestDamagedImage: a release whose image Verify finds damaged does not become live.
func TestDamagedImage(t *testing.T) {
	w := newWorld(t)
	w.pushes(1)
	w.damage = core.Reject("layer 1234 of the image was damaged on the server's disk", "push again")
	reject, out := w.push(commit(1), commit(2))
	if !strings.Contains(reject, "was damaged") || !strings.Contains(out, " !     push again") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
	if n := w.driver.count(); n != 1 {
		t.Errorf("%d machines run", n)
	}
	w.damage = nil
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Errorf("the next push: rejected %q:\n%s", reject, out)
	}
}

package coretest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/core"
)

// TestNewAppOfAnOldName: an app lost machines and was destroyed. The counters used to stay with its name, so the next
// app of that name began with restarts and losses that it never had.
func TestNewAppOfAnOldName(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.driver.all()[0].watch(core.Event{Kind: core.EventGone, Detail: "killed"})
	w.eventually("it was replaced", func() bool { return w.driver.count() == 1 && w.status().Restarts == 1 })
	if err := w.core.DestroyApp(t.Context(), ada, "shop", nil); err != nil {
		t.Fatal(err)
	}
	if reject, out := w.push(none, commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	if s := w.status(); s.Restarts != 0 || len(s.LastLines) != 0 {
		t.Errorf("the new app begins with %+v", s)
	}
}

// TestWaitForADestruction: whoever waits for the turn of an app while it is destroyed is told that it is gone, and an
// app that gets its name later begins with an empty queue.
func TestWaitForADestruction(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	drained := make(chan struct{})
	w.router.mu.Lock()
	w.router.drain = func(context.Context) { <-drained }
	w.router.mu.Unlock()
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s\n%s", reject, out)
	}
	var said syncBuffer
	destroyed, refused := make(chan error, 1), make(chan error, 1)
	go func() { destroyed <- w.core.DestroyApp(t.Context(), ada, "shop", &said) }()
	w.eventually("the destruction waits for the old machine", func() bool {
		return strings.Contains(said.String(), "waiting for a machine that was replaced to stop")
	})
	var waits syncBuffer
	go func() { refused <- w.core.Rollback(t.Context(), ada, "shop", 0, &waits) }()
	w.eventually("a rollback waits", func() bool { return strings.Contains(waits.String(), "number 1 in the queue") })
	close(drained)
	if err := <-destroyed; err != nil {
		t.Fatal(err)
	}
	if err := <-refused; err == nil || !strings.Contains(err.Error(), `there is no app "shop" any more`) {
		t.Errorf("the rollback that waited: %v", err)
	}
	if _, err := w.core.EnsureApp(t.Context(), ada, "shop"); err != nil {
		t.Fatal(err)
	}
	if reject, out := w.push(none, commit(3)); reject != "" {
		t.Errorf("%s\n%s", reject, out)
	}
	if q := w.core.QueueOf("shop"); len(q) != 0 {
		t.Errorf("the new app's queue: %+v", q)
	}
}

// TestDiscardApp: the app of a first push that came to nothing goes again, with the name free; one that has something
// does not.
func TestDiscardApp(t *testing.T) {
	w := newWorld(t)
	discard := func(want bool) {
		t.Helper()
		gone, err := w.core.DiscardApp(t.Context(), ada, "shop")
		if err != nil || gone != want {
			t.Errorf("removed: %v, %v; want %v", gone, err, want)
		}
	}
	w.driver.bootErr = errors.New("no host has room")
	w.push(none, commit(1))
	if err := w.core.SetConfig(t.Context(), ada, "shop", apps.ConfigChange{Set: map[string]string{"A": "1"}}, nil); err != nil {
		t.Fatal(err)
	}
	discard(false)
	if err := w.core.SetConfig(t.Context(), ada, "shop", apps.ConfigChange{Unset: []string{"A"}}, nil); err != nil {
		t.Fatal(err)
	}
	w.tags["refs/tags/v1"] = commit(1)
	discard(false)
	clear(w.tags)
	discard(true)
	if _, err := w.ledger.App(t.Context(), "shop"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("the app is there: %v", err)
	}
	if _, down := w.router.target("shop"); down != "removed" {
		t.Errorf("the front door still says %q", down)
	}
	w.driver.bootErr = nil
	if reject, out := w.push(none, commit(2)); reject != "" {
		t.Errorf("%s\n%s", reject, out)
	}
	discard(false)
}

// TestFirstPushThatFails: the SSH door made the app behind the core's back, so the front door said 404 of it, but 503
// of one that apps:create had made. There is one way to make an app now.
func TestFirstPushThatFails(t *testing.T) {
	w := newWorld(t)
	made, err := w.core.EnsureApp(t.Context(), ada, "shop")
	if err != nil || !made {
		t.Fatalf("made: %v, %v", made, err)
	}
	w.driver.bootErr = errors.New("no host has room")
	if reject, _ := w.push(none, commit(1)); !strings.Contains(reject, "no host has room") {
		t.Errorf("rejected %q", reject)
	}
	if _, down := w.router.target("shop"); down != "nothing has been deployed yet" {
		t.Errorf("the front door says %q", down)
	}
	if made, err := w.core.EnsureApp(t.Context(), ada, "shop"); err != nil || made {
		t.Errorf("the second push made it again: %v, %v", made, err)
	}
	entries, err := w.ledger.Entries(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Action == "app.create" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d entries tell of its making: %+v", n, entries)
	}
}

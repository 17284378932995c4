package coretest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestUsage: everything that takes room is counted where it belongs, and once.
func TestUsage(t *testing.T) {
	w := newWorld(t)
	w.pushes(2)
	w.core.Close() // waits for the collection after the push, which would take the stray layer
	v := core.Volume{ID: "v1", App: "shop", Name: "data", Mount: "/data", Size: core.MinVolume, Created: time.Now()}
	if err := w.ledger.AddVolume(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	const block = 64 << 10
	for _, path := range []string{
		w.state.Layer(commit(2)), w.state.Layer("stray"), w.state.Volume(v.ID),
		filepath.Join(w.state.Repo("shop"), "objects", "x"), filepath.Join(w.state.AppCache("shop"), "npm", "x"),
		filepath.Join(w.state.Cache(), "npm", "node"),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("x", block)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u, err := w.core.Usage(t.Context())
	if err != nil || len(u.Apps) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	shop := u.Apps[0]
	for name, got := range map[string]int64{
		"layers": shop.Layers, "repository": shop.Repository, "app's cache": shop.Cache, "volumes": shop.Volumes,
		"shared cache": u.Cache, "stray layers": u.Stray,
	} {
		if got < block || got > block+4*4096 { // folders take room too, on some file systems
			t.Errorf("%s: %d bytes", name, got)
		}
	}
	// The layer of v2 no longer has the size that its manifest says.
	if shop.Images != 1 || u.Free <= 0 || u.Size < u.Free || u.Ledger == 0 || shop.Total() < 4*block {
		t.Errorf("%+v", u)
	}
}

// TestFullDiskSaysWhatToDo: when the disk is full, the pusher reads that, and what can be done.
func TestFullDiskSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	w.pushes(1)
	w.build = func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
		return core.Manifest{}, fmt.Errorf("store layer: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	}
	reject, out := w.push(commit(1), commit(2))
	if reject != "the server's disk is full" || !strings.Contains(out, "gitd du") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
	w.build = w.goodBuild
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Errorf("with room again: rejected %q:\n%s", reject, out)
	}
}

package rebase

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/base/kernel"
	"github.com/nodeos-dev/gitd/internal/core"
)

const older, newer2, later, minimal = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc", "dddddddddddddddd"

// rebaser knows three bases with three glibcs, and one with the minimal kernel, on a host that cannot compile one.
func rebaser(t *testing.T) Rebaser {
	t.Helper()
	state := core.StateDir(t.TempDir())
	for id, b := range map[string][2]string{
		older: {"2.36-9+deb12u13", "stock"}, newer2: {"2.36-9+deb12u14", "stock"}, later: {"2.41-12", "stock"}, minimal: {"2.36-9", "minimal kernel 6.1.1-nodeos (d)"},
	} {
		list, err := json.Marshal(map[string]any{
			"kernel": b[1], "root": []base.File{{Path: "/lib/libc.so.6", Package: "libc6", Version: b[0]}, {Path: "/sbin/init"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(state.Base(id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(state.Base(id), "base.json"), list, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	bases := base.New(base.Config{State: state, StockKernel: none, MinimalSource: kernel.Config{Source: none, Cache: none}})
	return Rebaser{State: state, Bases: bases}
}

// TestOtherLibraries: an image with parts of glibc goes to no other glibc, and one that was built beside a later one
// goes back to no earlier one. Debian's own number makes no other glibc.
func TestOtherLibraries(t *testing.T) {
	b := rebaser(t)
	layer := core.Layer{Digest: "x"}
	for _, tt := range []struct {
		name       string
		image      core.Manifest
		to         string
		forth, may bool // whether it may be moved, and go back after a build
	}{
		{"an update of glibc", core.Manifest{Base: older, Debian: layer, Deps: layer}, newer2, true, true},
		{"another glibc, Debian's packages", core.Manifest{Base: older, Debian: layer}, later, false, false},
		{"another glibc, packages of npm", core.Manifest{Base: older, Deps: layer}, later, true, false},
		{"another glibc, and nothing that knows it", core.Manifest{Base: later}, older, true, true},
	} {
		rel := core.Release{App: "shop", Version: 3, Manifest: tt.image}
		if err := b.checkLibraries(rel, core.BaseRef{ID: tt.to}); (err == nil) != tt.forth {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err := b.MayGoBack(rel, core.BaseRef{ID: tt.to}); (err == nil) != tt.may {
			t.Errorf("%s, back: %v", tt.name, err)
		}
	}
}

// TestNoStockKernelInPlaceOfTheMinimalOne: an update of linux-source left apps without a minimal kernel that is
// compiled; they would all have gone to Debian's, for which their memory may be too small.
func TestNoStockKernelInPlaceOfTheMinimalOne(t *testing.T) {
	b := rebaser(t)
	if err := b.checkKernel(t.Context(), minimal); err == nil || !strings.Contains(err.Error(), "kernel") {
		t.Errorf("from the minimal kernel: %v", err)
	}
	if err := b.checkKernel(t.Context(), older); err != nil {
		t.Errorf("from Debian's: %v", err)
	}
}

package applog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func buildsIn(dir string) Builds {
	return OpenBuilds(func(app string) string { return filepath.Join(dir, app+".builds") })
}

func keep(t *testing.T, b Builds, app string, release int, parts ...string) {
	t.Helper()
	w, err := b.Begin(app, release)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBuilds(t *testing.T) {
	b := buildsIn(t.TempDir())
	keep(t, b, "shop", 1, "-----> one\n", "-----> two\n")
	keep(t, b, "shop", 2, "other")
	keep(t, b, "blog", 1, "blog's")
	if text, err := b.Text("shop", 1); err != nil || text != "-----> one\n-----> two\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(b.path("shop", 1)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := b.Rename(t.Context(), "shop", "store"); err != nil {
		t.Fatal(err)
	}
	if text, err := b.Text("store", 2); err != nil || text != "other" {
		t.Errorf("renamed: %q, %v", text, err)
	}
	if err := errors.Join(b.Remove(t.Context(), "store"), b.Remove(t.Context(), "store"), b.Rename(t.Context(), "store", "shop")); err != nil {
		t.Error(err)
	}
	for _, app := range []string{"shop", "store"} {
		if _, err := b.Text(app, 1); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", app, err)
		}
	}
	if text, err := b.Text("blog", 1); err != nil || text != "blog's" {
		t.Errorf("another app's: %q, %v", text, err)
	}
	for _, name := range []string{"", "../x", "/etc"} {
		_, begin := b.Begin(name, 1)
		_, read := b.Text(name, 1)
		if begin == nil || read == nil || b.Remove(t.Context(), name) == nil || b.Rename(t.Context(), "blog", name) == nil {
			t.Errorf("%q is an app", name)
		}
	}
}

// TestLongBuild: of a build that prints without end, the beginning is kept, and the end, where the reason of a failure
// stands, and no more.
func TestLongBuild(t *testing.T) {
	b := buildsIn(t.TempDir())
	line := strings.Repeat("x", 1023) + "\n"
	parts := []string{"first\n"}
	for range 2 * maxBuild / len(line) {
		parts = append(parts, line)
	}
	keep(t, b, "shop", 1, append(parts, "npm ci exited 1\n")...)
	text, err := b.Text("shop", 1)
	if err != nil || len(text) > maxBuild+buildTail+100 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if !strings.HasPrefix(text, "first\n") || !strings.HasSuffix(text, line+"npm ci exited 1\n") || !strings.Contains(text, "bytes are left out here") {
		t.Errorf("begins %.20q, ends %q", text, text[len(text)-40:])
	}
}

func TestOldBuildsGo(t *testing.T) {
	b := buildsIn(t.TempDir())
	for v := range maxBuilds + 5 {
		keep(t, b, "shop", v+1, "x")
	}
	kept := 0
	for v := range maxBuilds + 5 {
		if _, err := b.Text("shop", v+1); err == nil {
			kept++
		} else if v+1 > 5 {
			t.Errorf("v%d: %v", v+1, err)
		}
	}
	if kept != maxBuilds {
		t.Errorf("%d are kept, want %d", kept, maxBuilds)
	}
}

// TestBuildLines: who reads by and by gets what a deployment printed as lines, each when it is whole.
func TestBuildLines(t *testing.T) {
	s, _ := newStore(t)
	b := buildsIn(t.TempDir())
	b.Lines, b.Wanted = s, func(app string) bool { return app == "shop" }
	for _, app := range []string{"shop", "blog"} {
		w, err := b.Begin(app, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"-----> Pack", "ing\n\n       no deps\r\n", strings.Repeat("x", 3*maxText), "\nrest"} {
			if _, err := w.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := tail(t, s, "shop", 10)
	if want := []string{"-----> Packing", "       no deps", strings.Repeat("x", maxText), "rest"}; !slices.Equal(texts(got), want) {
		t.Errorf("%.60q", texts(got))
	}
	if got[0].Release != 3 || got[0].Stream != "build" {
		t.Errorf("%+v", got[0])
	}
	if got := tail(t, s, "blog", 10); len(got) != 0 {
		t.Errorf("nobody wants %+v", got)
	}
}

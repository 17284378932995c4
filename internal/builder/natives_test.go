package builder

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// A package for the platform that needs a browser's libraries: the line in the refusal has all of them, also when its
// files are those of an earlier push, and are not read again.
func TestMissingLibrariesAreRemembered(t *testing.T) {
	b := realBuilder(t)
	pkg := map[string]string{"amd64": "@webviewjs/webview-linux-x64-gnu", "arm64": "@webviewjs/webview-linux-arm64-gnu"}[runtime.GOARCH]
	repo := newRepository(t)
	commit := repo.commit(map[string]string{
		"server.js": "", "package.json": `{"dependencies": {"` + pkg + `": "0.4.7"}, "nodeos": {"memory": "256M"}}`,
	})
	for i, cached := range []bool{false, true} {
		_, said, _, err := repo.build(b, "webview", commit)
		rejected(t, err, "libwebkit2gtk-4.1.so.0, libgtk-3.so.0")
		if r, ok := errors.AsType[*core.Rejection](err); !ok ||
			!strings.Contains(r.Hint, `"libglib2.0-0", "libgtk-3-0", "libjavascriptcoregtk-4.1-0"`) || !strings.Contains(r.Hint, `"libxdo3"`) {
			t.Errorf("build %d: %+v", i, r)
		}
		if strings.Contains(said, "using cached dependencies") != cached {
			t.Errorf("build %d:\n%s", i, said)
		}
	}
}

// The same commit has the same packages, byte for byte: from what is kept, fetched again when the layer is gone, and in
// a build that takes nothing of what is kept. Another commit takes the layer as it is. The files are root's, without
// bits that give rights.
func TestSamePackages(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	files := map[string]string{"server.js": "", "package.json": `{"nodeos": {"packages": ["zlib1g", "login"]}}`}
	first := repo.commit(files)
	m, said, _, err := repo.build(b, "packages", first)
	check(t, err)
	if m.Debian.Digest == "" || len(m.Packages) < 3 || !slices.Contains(m.Files(), m.Debian.Digest) {
		t.Fatalf("%+v\n%s", m, said)
	}
	for _, p := range m.Packages {
		if p.Version == "" || (len(p.SHA256) != 64) != (p.Name == "libc6") || p.Name == "debconf" {
			t.Errorf("%+v", p)
		}
	}
	same := func(how, commit, want string, fresh bool) {
		t.Helper()
		var out bytes.Buffer
		got, err := b.Build(t.Context(), image.Source{App: "packages", Repo: repo.path, Commit: commit, Fresh: fresh}, progress.NewReport(&out))
		if err != nil || got.Debian != m.Debian || !slices.Equal(got.Packages, m.Packages) || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %+v, want %+v (%v)\n%s", how, got.Debian, m.Debian, err, out.String())
		}
	}
	same("again", first, "the versions that this commit got before", false)
	same("another commit", repo.commit(map[string]string{"server.js": "1"}), "(cached)", false)
	same("nothing kept is taken", first, "fetching ", true)
	check(t, os.Remove(b.cfg.State.Layer(m.Debian.Digest)))
	same("the layer is gone", first, "fetching ", false)

	dir := filepath.Join(t.TempDir(), "root")
	extract(t, b.cfg.State.Layer(m.Debian.Digest), dir)
	check(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeDevice) != 0 {
			t.Errorf("%s is %v", name, info.Mode())
		}
		return err
	}))
	// In the package it is "set user ID root".
	if info, err := os.Stat(filepath.Join(dir, "usr/bin/newgrp")); err != nil || info.Mode() != 0o755 {
		t.Errorf("%v, %v", info, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "bin")); err == nil {
		t.Error("there is a /bin beside /usr/bin")
	}
	nothingLeft(t, b)
}

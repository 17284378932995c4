package builder

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestKeyWithVars: what npm ci made with one value is not used with another, and the name of its folder does not tell
// the value to who can guess it.
func TestKeyWithVars(t *testing.T) {
	key := func(s store, vars map[string]string) string {
		k, err := s.keyWith("0123", vars)
		check(t, err)
		return k
	}
	s, other := store{dir: t.TempDir()}, store{dir: t.TempDir()}
	if key(s, nil) != "0123" {
		t.Error("without config, the key changes")
	}
	first := key(s, map[string]string{"A": "1", "B": "2"})
	if key(s, map[string]string{"B": "2", "A": "1"}) != first {
		t.Error("the same config gives another key")
	}
	for name, vars := range map[string]map[string]string{
		"value": {"A": "1", "B": "3"}, "name": {"A": "1", "C": "2"}, "fewer": {"A": "1"}, "moved": {"A": "1 1 B 2"}, "swapped": {"A": "2", "B": "1"},
	} {
		if key(s, vars) == first {
			t.Errorf("%s: the key stays", name)
		}
	}
	if key(other, map[string]string{"A": "1", "B": "2"}) == first {
		t.Error("the key of another app is the same: it can be tried")
	}
	if info, err := os.Stat(filepath.Join(s.dir, "key")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the store's key: %v, %v", info, err)
	}
}

// tokenApp prints what its build sees, and needs NPM_TOKEN in its .npmrc, as for a private registry. Its dependency
// comes from the ordinary one.
func tokenApp(t *testing.T) map[string]string {
	t.Helper()
	files := typescript(t)
	files["package.json"] = strings.Replace(files["package.json"], `"build": "tsc"`,
		`"build": "tsc && node see.js && npm config get init-author-name"`, 1)
	files["see.js"] = `const e = process.env
console.log("token", e.NPM_TOKEN, "colour", e.COLOUR, "commit", e.NODEOS_COMMIT, e.SOURCE_VERSION, "url", e.NEXT_PUBLIC_URL)
require("fs").writeFileSync("seen", String(e.NEXT_PUBLIC_URL))
`
	files[".npmrc"] = "//npm.example.com/:_authToken=${NPM_TOKEN}\n@acme:registry=https://npm.example.com/\ninit-author-name=${NPM_TOKEN}\n"
	return files
}

// TestBuildSeesConfig: npm ci and the build script find what is marked for builds in their environment, .npmrc can use
// it, and it is nowhere afterwards but where the build has written it. A changed value installs anew.
func TestBuildSeesConfig(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	commit := repo.commit(tokenApp(t))
	build := func(vars map[string]string, fresh bool) (core.Manifest, string) {
		var said bytes.Buffer
		src := image.Source{App: "token", Repo: repo.path, Commit: commit, Vars: vars, Fresh: fresh}
		m, err := b.Build(t.Context(), src, progress.NewReport(&said))
		if err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
		return m, said.String()
	}
	const token = "npm_hunter2hunter2"
	vars := map[string]string{"NPM_TOKEN": token, "NEXT_PUBLIC_URL": "https://shop.example/", "LD_PRELOAD": ""}
	m, said := build(vars, false)
	for _, want := range []string{
		"token [NPM_TOKEN] colour undefined commit " + commit + " " + commit + " url [NEXT_PUBLIC_URL]", "       [NPM_TOKEN]\n", "npm ci",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("the build does not print %q:\n%s", want, said)
		}
	}
	dir := t.TempDir()
	extract(t, b.cfg.State.Layer(m.App.Digest), filepath.Join(dir, "app"))
	if seen, err := os.ReadFile(filepath.Join(dir, "app/seen")); err != nil || string(seen) != vars["NEXT_PUBLIC_URL"] {
		t.Errorf("the build wrote %q, %v", seen, err)
	}
	extract(t, b.cfg.State.Layer(m.Deps.Digest), filepath.Join(dir, "deps"))
	nowhere(t, token, dir, string(b.cfg.State))

	if _, said := build(vars, false); !strings.Contains(said, "using cached dependencies") {
		t.Errorf("the same values install anew:\n%s", said)
	}
	if _, said := build(vars, true); strings.Contains(said, "using cached dependencies") {
		t.Errorf("a fresh build uses what was kept:\n%s", said)
	}
	vars["NPM_TOKEN"] = "npm_another_one"
	if _, said := build(vars, false); strings.Contains(said, "using cached dependencies") {
		t.Errorf("another token uses what the first had installed:\n%s", said)
	}
}

// nowhere expects that no file below dirs has text in it, or in its name.
func nowhere(t *testing.T, text string, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			if info, err := e.Info(); err != nil || info.Size() > 32<<20 { // Node itself, and the like
				return err
			}
			b, err := os.ReadFile(path)
			if bytes.Contains(b, []byte(text)) || strings.Contains(path, text) {
				t.Errorf("it is in %s", path)
			}
			return err
		})
		check(t, err)
	}
}

package builder

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// fixture reads an app from testdata/managers.
func fixture(t *testing.T, name string) map[string]string {
	t.Helper()
	files, root := map[string]string{}, filepath.Join("testdata/managers", name)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, root+"/")] = string(b)
		return err
	})
	check(t, err)
	return files
}

// unpacked is a folder with what a machine would have as /app.
func unpacked(t *testing.T, b *Builder, m core.Manifest) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	extract(t, b.cfg.State.Layer(m.App.Digest), dir)
	if m.Deps.Digest != "" {
		deps := filepath.Join(t.TempDir(), "deps")
		extract(t, b.cfg.State.Layer(m.Deps.Digest), deps)
		check(t, os.Rename(filepath.Join(deps, "node_modules"), filepath.Join(dir, "node_modules")))
	}
	return dir
}

// inNode runs a line of JavaScript with the Node of the builds, and returns what it prints.
func inNode(t *testing.T, b *Builder, dir, code string) string {
	t.Helper()
	nodes, err := filepath.Glob(filepath.Join(b.toolCache(), "node-linux-*/22.*/bin/node"))
	check(t, err)
	if len(nodes) == 0 {
		t.Fatal("there is no Node 22 in the cache of tools")
	}
	cmd := exec.CommandContext(t.Context(), nodes[0], "-e", code)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", code, err, out)
	}
	return strings.TrimSpace(string(out))
}

// noLinkLeadsOut: all symlinks of an image lead to something in it, wherever it is.
func noLinkLeadsOut(t *testing.T, dir string) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	defer root.Close()
	check(t, fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type() == fs.ModeSymlink {
			if _, err := root.Stat(path); err != nil {
				t.Errorf("the link %s: %v", path, err)
			}
		}
		return err
	}))
}

// TestManagers: each package manager installs what its lockfile names, with the devDependencies for the build and
// without them in the image, and a push that changes code only installs nothing.
func TestManagers(t *testing.T) {
	b := realBuilder(t)
	for name, says := range map[string][]string{
		"npm":   {"npm 10.9.9", "npm ci --include=dev"},
		"yarn1": {"yarn 1.22.22", "yarn install --frozen-lockfile --production=false"},
		"berry": {"yarn 4.13.0", "yarn install --immutable"},
		"pnpm":  {"pnpm 10.34.9", "pnpm install --frozen-lockfile"},
	} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			m, said, report, err := repo.build(b, "manager-"+name, repo.commit(fixture(t, name)))
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			t.Logf("%s%v", said, report.Steps())
			for _, line := range append(says, "devDependencies removed: 1 of ") {
				if !strings.Contains(said, line) {
					t.Errorf("it does not say %q", line)
				}
			}
			dir := unpacked(t, b, m)
			noLinkLeadsOut(t, dir)
			if got := inNode(t, b, dir, "console.log(typeof require('express')(), require('fs').readFileSync('built.txt', 'utf8'))"); got != "function true" {
				t.Errorf("it runs as %q", got)
			}
			for _, gone := range []string{
				"node_modules/is-number", "node_modules/.pnpm/is-number@7.0.0", "node_modules/.modules.yaml",
				"node_modules/.yarn-integrity", "node_modules/.yarn-state.yml", ".yarn", ".pnp.cjs",
			} {
				if _, err := os.Lstat(filepath.Join(dir, gone)); err == nil {
					t.Errorf("%s is in the image", gone)
				}
			}
			lock := fixture(t, name)
			for file, content := range lock {
				if b, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(b) != content {
					t.Errorf("%s is not as it was pushed: %v", file, err)
				}
			}
			changed, said, report, err := repo.build(b, "manager-"+name, repo.commit(map[string]string{"more.js": ""}))
			if err != nil || changed.Deps != m.Deps {
				t.Errorf("a code-only push: %+v, %v\n%s", changed, err, said)
			}
			t.Logf("code only:\n%s%v", said, report.Steps())
			if cached := strings.Contains(said, "using cached dependencies"); cached != (name != "berry") {
				t.Errorf("it was cached: %t\n%s", cached, said)
			}
		})
	}
	nothingLeft(t, b)
}

// TestWorkspaces: a package of the repository is linked, its own dependencies are there, and no devDependency of any
// package is.
func TestWorkspaces(t *testing.T) {
	b := realBuilder(t)
	for _, name := range []string{"npm", "yarn1", "berry", "pnpm"} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			m, said, _, err := repo.build(b, "ws-"+name, repo.commit(fixture(t, "ws-"+name)))
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			dir := unpacked(t, b, m)
			noLinkLeadsOut(t, dir)
			if got := inNode(t, b, dir, "require('./server.js')"); got != "1m" {
				t.Errorf("it printed %q\n%s", got, said)
			}
			check(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
				if base := filepath.Base(path); strings.HasPrefix(base, "is-odd") || strings.HasPrefix(base, "is-number") {
					t.Errorf("%s is in the image", path)
				}
				return err
			}))
		})
	}
}

// TestWorkspaceFolders: an app that is one workspace of several is built with what it depends on, starts in its folder,
// and has nothing of the others in its image, as far as its package manager can leave it out.
func TestWorkspaceFolders(t *testing.T) {
	b := realBuilder(t)
	for _, name := range []string{"yarn1", "berry", "pnpm"} {
		t.Run(name, func(t *testing.T) {
			repo := newRepository(t)
			var said bytes.Buffer
			m, err := b.Build(t.Context(), image.Source{
				App: "folder-" + name, Repo: repo.path, Commit: repo.commit(fixture(t, "folder-"+name)), Dir: "packages/api",
			}, progress.NewReport(&said))
			if err != nil {
				t.Fatalf("%v\n%s", err, said.String())
			}
			if len(m.Run) != 1 || m.Run[0].Dir != "packages/api" || m.Dir != "packages/api" {
				t.Errorf("it starts by %+v", m)
			}
			dir := unpacked(t, b, m)
			if got := inNode(t, b, filepath.Join(dir, "packages/api"), "require('./server.js')"); got != "1m" {
				t.Errorf("it printed %q\n%s", got, said.String())
			}
			check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				base := filepath.Base(path)
				if _, err := os.Stat(path); err != nil {
					return nil //nolint:nilerr // pnpm leaves links to what it has removed
				}
				other := e.IsDir() && base == "web" || strings.HasPrefix(base, "is-buffer") && name != "yarn1"
				if other || strings.HasPrefix(base, "is-odd") || strings.HasPrefix(base, "is-number") {
					t.Errorf("%s is in the image", path)
				}
				return err
			}))
		})
	}
}

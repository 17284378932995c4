package builder

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestMain lets the test binary be what gitd is: the program that runs inside
// the sandbox first.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sandbox" {
		os.Exit(SandboxMain(os.Args[2:]))
	}
	code := m.Run()
	if dir, err := sharedDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// sharedDir holds the state of all tests that build for real: Node and the
// base are made once.
var sharedDir = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gitd-builder-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
})

// guestInit is an init for bases. TestOrdinaryUser, whose user has no Go,
// passes its own on.
var guestInit = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("GITD_TEST_INIT"); path != "" {
		return path, nil
	}
	dir, err := sharedDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "init")
	build := exec.Command("go", "build", "-o", path, "../base/testdata/bootinit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build bootinit: %w: %s", err, out)
	}
	return path, nil
})

// realBuilder builds with everything real: registry, sandbox, mkfs, kernel.
func realBuilder(t *testing.T) *Builder {
	t.Helper()
	if testing.Short() {
		t.Skip("a real build takes a while")
	}
	if _, err := os.Stat(base.DefaultStockKernel); err != nil {
		t.Skipf("%v: run scripts/setup", err)
	}
	dir, err := sharedDir()
	check(t, err)
	init, err := guestInit()
	check(t, err)
	state := core.StateDir(filepath.Join(dir, "state"))
	check(t, state.Create())
	b, err := New(Config{State: state, Bases: base.New(base.Config{State: state, GuestInit: init}), Log: zerolog.New(zerolog.NewTestWriter(t))})
	check(t, err)
	if err := b.CheckSandbox(); err != nil {
		t.Skip(err)
	}
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newTestBuilder is a builder for what needs neither registry nor sandbox.
func newTestBuilder(t *testing.T) *Builder {
	t.Helper()
	return builderIn(t, t.TempDir())
}

func builderIn(t *testing.T, dir string) *Builder {
	t.Helper()
	state := core.StateDir(dir)
	check(t, state.Create())
	cfg := Config{State: state, Bases: base.New(base.Config{State: state}), Log: zerolog.New(zerolog.NewTestWriter(t))}
	return &Builder{cfg: cfg, layers: image.OpenLayers(state)}
}

// extract unpacks an image, and checks it on the way.
func extract(t *testing.T, image, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "fsck.erofs", "--extract="+dir, image)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("fsck.erofs: %v: %s", err, out)
	}
}

// repository is a bare repository whose commits are made from files.
type repository struct {
	t    *testing.T
	path string
	work string
}

func newRepository(t *testing.T) *repository { return newRepositoryOf(t, "sha1") }

func newRepositoryOf(t *testing.T, objectFormat string) *repository {
	t.Helper()
	r := &repository{t: t, path: filepath.Join(t.TempDir(), "app.git"), work: t.TempDir()}
	r.git("init", "-q", "--object-format="+objectFormat)
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.work
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_DIR="+r.path, "GIT_WORK_TREE="+r.work)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out.String())
	}
	return strings.TrimSpace(out.String())
}

// commit adds or replaces files and returns the commit's name. A content that
// starts with "-> " is a symlink.
func (r *repository) commit(files map[string]string) string {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.work, name)
		check(r.t, os.MkdirAll(filepath.Dir(path), 0o755))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			check(r.t, os.Symlink(target, path))
			continue
		}
		check(r.t, os.WriteFile(path, []byte(content), 0o644))
	}
	r.git("add", "-A", "-f")
	r.git("commit", "-q", "--allow-empty", "-m", "c")
	return r.git("rev-parse", "HEAD")
}

// starter reads an app from templates/apps.
func starter(t *testing.T, name string) map[string]string {
	t.Helper()
	files := map[string]string{}
	dir := filepath.Join("../../templates/apps", name)
	entries, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
		files[e.Name()] = string(b)
	}
	return files
}

// build builds a commit and returns what the pusher saw.
func (r *repository) build(b *Builder, app, commit string) (core.Manifest, string, *progress.Report, error) {
	r.t.Helper()
	var said bytes.Buffer
	report := progress.NewReport(&said)
	m, err := b.Build(r.t.Context(), image.Source{App: app, Repo: r.path, Commit: commit}, report)
	return m, said.String(), report, err
}

// buildWith is build with config for the build.
func (r *repository) buildWith(b *Builder, app, commit string, vars map[string]string) (core.Manifest, string, error) {
	r.t.Helper()
	var said bytes.Buffer
	m, err := b.Build(r.t.Context(), image.Source{App: app, Repo: r.path, Commit: commit, Vars: vars}, progress.NewReport(&said))
	return m, said.String(), err
}

package builder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

func TestExpress(t *testing.T) {
	b := realBuilder(t)
	repo := newRepository(t)
	first := repo.commit(starter(t, "express"))
	m, said, report, err := repo.build(b, "express", first)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("cold:\n%s%v", said, report.Steps())
	if len(m.Run) != 1 || m.Run[0].String() != guest.Node+" server.js" {
		t.Errorf("start: %+v", m.Run)
	}
	dir := t.TempDir()
	extract(t, b.cfg.State.Layer(m.Deps.Digest), filepath.Join(dir, "deps"))
	extract(t, b.cfg.State.Layer(m.App.Digest), filepath.Join(dir, "app"))
	for _, file := range []string{"deps/node_modules/express/index.js", "app/server.js", "app/package.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	committed := starter(t, "express")
	if entries, _ := os.ReadDir(filepath.Join(dir, "app")); len(entries) != len(committed) {
		t.Errorf("the app layer holds %v, and the commit %d files", entries, len(committed))
	}

	again, said, report, err := repo.build(b, "express", first)
	if err != nil || again.Deps != m.Deps || again.App != m.App || again.Base != m.Base {
		t.Errorf("the same commit gave another image: %+v, then %+v (%v)", m, again, err)
	}
	t.Logf("again:\n%s%v", said, report.Steps())

	next := repo.commit(map[string]string{"server.js": "// changed\n" + starter(t, "express")["server.js"]})
	changed, said, report, err := repo.build(b, "express", next)
	if err != nil || changed.Deps != m.Deps || changed.App == m.App || strings.Contains(said, "npm ci") {
		t.Errorf("a code-only push: %+v, %v\n%s", changed, err, said)
	}
	t.Logf("code only:\n%s%v", said, report.Steps())
	nothingLeft(t, b)
}

// TestSHA256: a commit of a SHA-256 repository is refused by its name, which says why and what to do; the same commit
// by a name of 40 digits is not found.
func TestSHA256(t *testing.T) {
	b := newTestBuilder(t)
	repo := newRepositoryOf(t, "sha256")
	id := repo.commit(starter(t, "hello"))
	_, _, _, err := repo.build(b, "hello", id)
	rejected(t, err, "a SHA-256 repository, which gitd cannot read")
	if _, _, _, err := repo.build(b, "hello", id[:40]); err == nil {
		t.Error("half of its name was found")
	}
}

// nothingLeft: builds clean up after themselves.
func nothingLeft(t *testing.T, b *Builder) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(b.cfg.State.Builds(), "build-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// rejected expects a *core.Rejection with this reason.
func rejected(t *testing.T, err error, reason string) {
	t.Helper()
	var r *core.Rejection
	if !errors.As(err, &r) || !strings.Contains(r.Reason, reason) || strings.Contains(r.Reason, "\n") {
		t.Errorf("got %v (%T), want a rejection with %q", err, err, reason)
	}
}

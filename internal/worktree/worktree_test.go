package worktree

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// folder is a folder with an app.
func folder(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git: apt install git")
	}
	dir := t.TempDir()
	write(t, dir, "server.js", "1")
	write(t, dir, "package.json", "{}")
	write(t, dir, ".gitignore", "*.log\n")
	write(t, dir, "a.log", "x")
	write(t, dir, "node_modules/x/index.js", "x")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.org"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func take(t *testing.T, dir string, o Options) Snapshot {
	t.Helper()
	s, err := Take(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// files are those of the snapshot.
func files(t *testing.T, s Snapshot) []string {
	t.Helper()
	return strings.Split(git(t, s.Repo, "ls-tree", "-r", "--name-only", s.Commit), "\n")
}

// TestPlainFolder: the files are taken as they are, and the same files give the same commit.
func TestPlainFolder(t *testing.T) {
	dir := folder(t)
	write(t, dir, "out/disk [1].img", "large")
	s := take(t, dir, Options{Ignore: []string{"out/disk [1].img"}})
	if got := files(t, s); s.Known || !slices.Equal(got, []string{".gitignore", "package.json", "server.js"}) {
		t.Errorf("took %q", got)
	}
	again := take(t, folder(t), Options{})
	if again.Commit != s.Commit {
		t.Errorf("the same files are %s and %s", s.Commit, again.Commit)
	}
	write(t, dir, "server.js", "2")
	if changed := take(t, dir, Options{}); changed.Commit == s.Commit {
		t.Error("other files have the same commit")
	}
}

// TestRepository: the commit is taken, what differs from it is named, and taken when it is asked for.
func TestRepository(t *testing.T) {
	dir := folder(t)
	git(t, dir, "init", "--quiet")
	if _, err := Take(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "--dirty") {
		t.Errorf("without a commit: %v", err)
	}
	git(t, dir, "add", ".")
	git(t, dir, "commit", "--quiet", "-m", "x")
	clean := take(t, dir, Options{})
	if want := git(t, dir, "rev-parse", "HEAD"); clean.Commit != want || !clean.Known || len(clean.Changed) > 0 {
		t.Errorf("took %+v instead of %s", clean, want)
	}
	write(t, dir, "server.js", "2")
	write(t, dir, "new.js", "x")
	s := take(t, dir, Options{})
	if !slices.Equal(s.Changed, []string{" M server.js", "?? new.js"}) || s.Commit != clean.Commit {
		t.Errorf("differs: %q", s.Changed)
	}
	if text := git(t, s.Repo, "cat-file", "blob", s.Commit+":server.js"); text != "1" {
		t.Errorf("server.js is %q", text)
	}
	dirty := take(t, dir, Options{Dirty: true})
	if got := files(t, dirty); dirty.Known || !slices.Contains(got, "new.js") {
		t.Errorf("took %q", got)
	}
	tree := filepath.Join(t.TempDir(), "other")
	git(t, dir, "worktree", "add", "--quiet", tree)
	if got := take(t, tree, Options{}); got.Commit != clean.Commit || len(got.Changed) > 0 {
		t.Errorf("in a second working tree: %+v", got)
	}
}

// TestNoProgramOfTheFolderRuns: the configuration of a repository can name programs, for hooks, filters and to watch
// files. Somebody who makes a disk of a repository that they were given has not agreed to run them.
func TestNoProgramOfTheFolderRuns(t *testing.T) {
	dir := folder(t)
	git(t, dir, "init", "--quiet")
	write(t, dir, ".gitattributes", "*.js filter=evil\n")
	git(t, dir, "add", ".")
	git(t, dir, "commit", "--quiet", "-m", "x")
	mark := filepath.Join(t.TempDir(), "ran")
	write(t, dir, "evil", "#!/bin/sh\ntouch "+mark+"\ncat\n")
	if err := os.Chmod(filepath.Join(dir, "evil"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "core.pager", "core.sshCommand"} {
		git(t, dir, "config", name, filepath.Join(dir, "evil"))
	}
	write(t, dir, "server.js", "2")
	for _, dirty := range []bool{false, true} {
		take(t, dir, Options{Dirty: dirty})
		if _, err := os.Stat(mark); err == nil {
			t.Fatalf("a program of the repository ran (dirty: %t)", dirty)
		}
	}
}

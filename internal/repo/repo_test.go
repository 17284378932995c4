package repo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/walls"
)

func newGit(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(Env(), "GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.org")
	return cmd
}

// runGit runs the real git in dir and returns what it printed.
func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := newGit(dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func newRepos(t *testing.T) (*Repos, core.StateDir) {
	t.Helper()
	state := core.StateDir(t.TempDir())
	if err := state.Create(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(state, someWalls(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Ensure(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	return r, state
}

// someWalls are walls where this host can have them.
func someWalls(t *testing.T) *walls.Walls {
	t.Helper()
	w, err := walls.New(t.Context())
	if err != nil {
		t.Log(err)
		return walls.None()
	}
	return w
}

// commitIn makes a commit in the repository dir and returns its name.
func commitIn(t *testing.T, dir, message string) string {
	t.Helper()
	tree := runGit(t, dir, "hash-object", "-w", "-t", "tree", "/dev/null")
	return runGit(t, dir, "commit-tree", "-m", message, tree)
}

// TestRepositoriesAreSHA1: whatever git's default is, the apps' repositories have SHA-1 names. gitd cannot read others,
// and git does not push from others into them.
func TestRepositoriesAreSHA1(t *testing.T) {
	t.Setenv("GIT_DEFAULT_HASH", "sha256")
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[init]\n\tdefaultObjectFormat = sha256\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	_, state := newRepos(t)
	dir := state.Repo("shop")
	if got := runGit(t, dir, "rev-parse", "--show-object-format"); got != "sha1" {
		t.Errorf("the repository's object names are of %s", got)
	}
	id := commitIn(t, dir, "x")
	runGit(t, dir, "update-ref", "refs/heads/main", id)
	if err := core.CheckObjectName(id); err != nil {
		t.Error(err)
	}
	other := t.TempDir()
	runGit(t, other, "init", "--quiet", "--object-format=sha256")
	name := commitIn(t, other, "x")
	if out, err := newGit(other, "push", dir, name+":refs/heads/main").CombinedOutput(); err == nil {
		t.Errorf("git pushed from a SHA-256 repository: %s", out)
	}
	if err := core.CheckObjectName(name); err == nil {
		t.Errorf("%s is accepted, and nothing can read it", name)
	}
}

func TestCommitPeels(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	id := commitIn(t, dir, "Say hello\n\nand more")
	runGit(t, dir, "tag", "-a", "-m", "x", "inner", id)
	runGit(t, dir, "tag", "-a", "-m", "x", "outer", "inner")
	for _, name := range []string{id, runGit(t, dir, "rev-parse", "inner"), runGit(t, dir, "rev-parse", "outer")} {
		c, err := r.Commit(t.Context(), core.Push{App: "shop"}, name)
		if err != nil || c.ID != id || c.Subject != "Say hello" {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	var rejected *core.Rejection
	tree := runGit(t, dir, "rev-parse", id+"^{tree}")
	if _, err := r.Commit(t.Context(), core.Push{App: "shop"}, tree); !errors.As(err, &rejected) {
		t.Errorf("a tree: %v", err)
	}
	if _, err := r.Commit(t.Context(), core.Push{App: "shop"}, strings.Repeat("1", 40)); err == nil {
		t.Error("an object that is not there has no error")
	}
}

// TestLargeObjects: a tag on 1 GiB of zeros, which is 1 MB to push, and a commit with a message of 256 MiB, took 4.4 GB
// of the daemon's memory. Their kind and size are asked for before anything is read.
func TestLargeObjects(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	id := commitIn(t, dir, "x")
	tree := runGit(t, dir, "rev-parse", id+"^{tree}")
	write := func(kind string, content io.Reader) string {
		t.Helper()
		cmd := newGit(dir, "hash-object", "-t", kind, "-w", "--stdin", "--literally")
		cmd.Stdin = content
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	const large = 64 << 20
	who := " a <a@example.org> 1700000000 +0000\n"
	commit := write("commit", io.MultiReader(strings.NewReader("tree "+tree+"\nauthor"+who+"committer"+who+"\n"), io.LimitReader(letters{}, large)))
	blob := write("blob", io.LimitReader(letters{}, large))
	long := write("tag", io.MultiReader(strings.NewReader("object "+id+"\ntype commit\ntag x\ntagger"+who+"\n"), io.LimitReader(letters{}, large)))
	runGit(t, dir, "tag", "-a", "-m", "x", "onblob", blob)
	runGit(t, dir, "tag", "-a", "-m", "x", "ontag", long)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for name, why := range map[string]string{
		commit: "the commit " + commit[:7] + " has 64 MiB, and gitd reads 1 MiB at most", long: "has 64 MiB", blob: "is a blob, not a commit",
		runGit(t, dir, "rev-parse", "onblob"): "is a blob, not a commit", runGit(t, dir, "rev-parse", "ontag"): "has 64 MiB",
	} {
		if _, err := r.Commit(t.Context(), core.Push{App: "shop"}, name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", name, err, why)
		}
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > large/2 {
		t.Errorf("it took %d bytes of memory to refuse them", took)
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'z'
	}
	return len(p), nil
}

func TestSubjectIsSafeToPrint(t *testing.T) {
	tests := map[string]string{
		"one\ntwo":               "one",
		"\n\n  one":              "one",
		"red \x1b[31malert\x07":  "red alert",
		strings.Repeat("a", 100): strings.Repeat("a", 72) + "…",
		strings.Repeat("ä", 40):  strings.Repeat("ä", 36) + "…",
		"":                       "",
	}
	for in, want := range tests {
		if got := subject(in); got != want {
			t.Errorf("subject(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPoint(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	a, b := commitIn(t, dir, "a"), commitIn(t, dir, "b")
	for _, id := range []string{a, b, a} { // back as well as forth
		if err := r.Point(t.Context(), "shop", "master", id); err != nil {
			t.Fatal(err)
		}
		if got := runGit(t, dir, "rev-parse", "HEAD"); got != id {
			t.Errorf("HEAD is %s, want %s", got, id)
		}
	}
}

// TestPrepare: a branch that is ready to move stays where it is, and is locked, until the move is committed. A move
// that is aborted leaves nothing behind.
func TestPrepare(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	a, b := commitIn(t, dir, "a"), commitIn(t, dir, "b")
	prepare := func(id string) core.RefMove {
		t.Helper()
		m, err := r.Prepare(t.Context(), "shop", core.RefChange{Branch: "master", Commit: id})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	at := func(want string) {
		t.Helper()
		if got := runGit(t, dir, "rev-parse", "HEAD"); got != want {
			t.Errorf("HEAD is %s, want %s", got, want)
		}
	}
	if err := r.Point(t.Context(), "shop", "master", b); err != nil {
		t.Fatal(err)
	}
	m := prepare(a)
	at(b)
	if other, err := r.Prepare(t.Context(), "shop", core.RefChange{Branch: "master", Commit: a}); err == nil {
		other.Abort()
		t.Error("two moves at once")
	}
	if err := m.Commit(); err != nil {
		t.Fatal(err)
	}
	at(a)
	prepare(b).Abort()
	at(a)
	m = prepare(a) // the branch is there already
	if err := m.Commit(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "refs/heads/*.lock")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	if _, err := r.Prepare(t.Context(), "shop", core.RefChange{Branch: "master", Commit: strings.Repeat("1", 40)}); err == nil {
		t.Error("a commit that is not there")
	}
}

// TestPrepareTags: tags move with the branch or not at all, from where they are, also when they are packed.
func TestPrepareTags(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	none := string(zeros)
	a, b := commitIn(t, dir, "a"), commitIn(t, dir, "b")
	change := func(c core.RefChange) error {
		t.Helper()
		m, err := r.Prepare(t.Context(), "shop", c)
		if err != nil {
			return err
		}
		return m.Commit()
	}
	tags := func(want string) {
		t.Helper()
		have, err := r.Tags(t.Context(), "shop")
		if got := fmt.Sprint(have); err != nil || got != want {
			t.Errorf("tags are %s, %v; want %s", got, err, want)
		}
	}
	first := core.RefChange{Branch: "main", Commit: a, Tags: []core.Command{
		{Ref: "refs/tags/v1", Old: none, New: a}, {Ref: "refs/tags/x/v2", Old: none, New: b}}}
	if err := change(first); err != nil {
		t.Fatal(err)
	}
	tags("map[refs/tags/v1:" + a + " refs/tags/x/v2:" + b + "]")
	runGit(t, dir, "pack-refs", "--all")
	tags("map[refs/tags/v1:" + a + " refs/tags/x/v2:" + b + "]")
	for name, c := range map[string]core.Command{
		"from elsewhere": {Ref: "refs/tags/v1", Old: b, New: b},
		"in the way":     {Ref: "refs/tags/v1/x", Old: none, New: b},
		"no such object": {Ref: "refs/tags/v3", Old: none, New: strings.Repeat("1", 40)},
		"not a name":     {Ref: "refs/tags/v3\ndelete refs/tags/v1", Old: none, New: b},
	} {
		if err := change(core.RefChange{Branch: "main", Commit: b, Tags: []core.Command{c}}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := runGit(t, dir, "rev-parse", "main"); got != a {
		t.Errorf("main moved to %s without the tags", got)
	}
	if err := change(core.RefChange{Tags: []core.Command{{Ref: "refs/tags/v1", Old: a, New: none}}}); err != nil {
		t.Fatal(err)
	}
	tags("map[refs/tags/x/v2:" + b + "]")
}

// TestEnsureKeepsTheHouse: a repository that was made before gets today's
// settings, and its content stays.
func TestEnsureKeepsTheHouse(t *testing.T) {
	r, state := newRepos(t)
	dir := state.Repo("shop")
	id := commitIn(t, dir, "a")
	runGit(t, dir, "config", "receive.fsckObjects", "false")
	if err := r.Ensure(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if got := runGit(t, dir, "config", "receive.fsckObjects"); got != "true" {
		t.Errorf("receive.fsckObjects is %s", got)
	}
	if _, err := r.Commit(t.Context(), core.Push{App: "shop"}, id); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hooks")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("git's own sample hooks are there: %v", err)
	}
}

func TestProtocolIsValidated(t *testing.T) {
	for value, ok := range map[string]bool{
		"version=2": true, "version=1": true, "version=2:agent=x": true,
		"": false, "version=9": false, "version=2\nX=1": false, "$(id)": false, "version=2:" + strings.Repeat("a", 99): false,
	} {
		if protocol.MatchString(value) != ok {
			t.Errorf("%q: %v, want %v", value, !ok, ok)
		}
	}
}

package repo

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// refuses is a proc-receive hook that refuses main, as the hooks of gitd do when a build fails.
const refuses = "#!/bin/sh\nprintf '000eversion=1\\n00000023ng refs/heads/main build failed0000'\nhead -c 120 >/dev/null\n"

// filesOf are the files in a folder, with their sizes.
func filesOf(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	list := map[string]int64{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		list[path] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// pushed has receive-pack fill a quarantine with a commit of work.
func pushed(t *testing.T, r *Repos, work, commit string) (*Quarantine, string) {
	t.Helper()
	pack := newGit(work, "pack-objects", "--revs", "--stdout", "-q")
	pack.Stdin = strings.NewReader(commit + "\n")
	objects, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	q, err := r.Quarantine("shop")
	if err != nil {
		t.Fatal(err)
	}
	var in, out, said bytes.Buffer
	in.WriteString(pkt(zeros+" "+commit+" refs/heads/main\x00report-status") + "0000")
	in.Write(objects)
	if _, err := r.Serve(Call{App: "shop", Service: ReceivePack, Quarantine: q, In: &in, Out: &out, Err: &said}); err != nil {
		t.Fatal(err)
	}
	return q, out.String() + said.String()
}

// newWork makes a repository with one commit.
func newWork(t *testing.T) (work, commit string) {
	t.Helper()
	work = t.TempDir()
	runGit(t, work, "init", "-q", "-b", "main")
	if err := os.WriteFile(filepath.Join(work, "file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	runGit(t, work, "add", "-A")
	runGit(t, work, "commit", "-q", "-m", "x")
	return work, runGit(t, work, "rev-parse", "HEAD")
}

// newPushes makes repositories whose pushes are all refused by their hook.
func newPushes(t *testing.T) (*Repos, core.StateDir) {
	t.Helper()
	state := core.StateDir(t.TempDir())
	if err := state.Create(); err != nil {
		t.Fatal(err)
	}
	r, err := Open(state, someWalls(t), state.Hooks())
	if err == nil {
		err = errors.Join(r.Ensure(t.Context(), "shop"), os.WriteFile(filepath.Join(state.Hooks(), "proc-receive"), []byte(refuses), 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	return r, state
}

// TestRejectedPushLeavesNothing: git takes a push out of its own quarantine before it asks for the verdict, so each
// push that gitd rejected left up to 2 GiB of objects in the repository.
func TestRejectedPushLeavesNothing(t *testing.T) {
	r, state := newPushes(t)
	work, commit := newWork(t)
	before := filesOf(t, state.Repo("shop"))
	q, said := pushed(t, r, work, commit)
	if !strings.Contains(said, "ng refs/heads/main build failed") {
		t.Fatalf("git says %q", said)
	}
	dir, err := q.Seal()
	if err != nil {
		t.Fatal(err)
	}
	// While it is in quarantine, gitd reads it, and the repository does not have it.
	if c, err := r.Commit(t.Context(), core.Push{App: "shop", Quarantine: dir}, commit); err != nil || c.ID != commit {
		t.Errorf("in quarantine: %+v, %v", c, err)
	}
	if _, err := r.Commit(t.Context(), core.Push{App: "shop"}, commit); err == nil {
		t.Error("the repository has the commit of a push that nobody accepted")
	}
	if err := q.Drop(); err != nil {
		t.Fatal(err)
	}
	if after := filesOf(t, state.Repo("shop")); !maps.Equal(before, after) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
}

// TestAcceptedPush: what is accepted is in the repository, whole, when its refs move; two pushes that bring the same
// objects are accepted both; a move that is aborted takes out what it brought in, and nothing that was there before.
func TestAcceptedPush(t *testing.T) {
	r, state := newPushes(t)
	work, commit := newWork(t)
	before := filesOf(t, state.Repo("shop"))
	prepare := func() (*Quarantine, core.RefMove) {
		t.Helper()
		q, _ := pushed(t, r, work, commit)
		dir, err := q.Seal()
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.Prepare(t.Context(), "shop", core.RefChange{Branch: "main", Commit: commit, Quarantine: dir})
		if err != nil {
			t.Fatal(err)
		}
		return q, m
	}
	end := func(err error, q *Quarantine) {
		t.Helper()
		if err = errors.Join(err, q.Drop()); err != nil {
			t.Fatal(err)
		}
	}
	q, m := prepare()
	m.Abort()
	end(nil, q)
	if after := filesOf(t, state.Repo("shop")); !maps.Equal(before, after) {
		t.Errorf("after an aborted move: %v, before: %v", after, before)
	}
	q, m = prepare()
	second, _ := pushed(t, r, work, commit)
	end(m.Commit(), q)
	dir, err := second.Seal()
	if err != nil {
		t.Fatal(err)
	}
	m, err = r.Prepare(t.Context(), "shop", core.RefChange{Tags: []core.Command{{Ref: "refs/tags/v1", Old: zeros, New: commit}}, Quarantine: dir})
	if err != nil {
		t.Fatal(err)
	}
	m.Abort()
	end(nil, second)
	runGit(t, state.Repo("shop"), "fsck", "--strict", "--full")
	if got := runGit(t, state.Repo("shop"), "rev-parse", "main"); got != commit {
		t.Errorf("main is at %s", got)
	}
}

// TestSealTakesFilesOnly: a process that has taken git over puts links and pipes in the place of packs, to have gitd,
// which sees everything, read another app's repository for it, or wait for ever.
func TestSealTakesFilesOnly(t *testing.T) {
	r, state := newRepos(t)
	foreign := filepath.Join(string(state), "foreign")
	if err := os.WriteFile(foreign, []byte("another app's"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{foreign, "../../../config"} {
		q, err := r.Quarantine("shop")
		if err != nil {
			t.Fatal(err)
		}
		name := "pack-" + objectA + ".pack"
		err = errors.Join(os.Mkdir(filepath.Join(q.incoming(), "pack"), 0o700), os.Symlink(what, filepath.Join(q.incoming(), "pack", name)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.Seal(); err == nil {
			t.Errorf("a link to %s was taken for a pack", what)
		}
		if left := filesOf(t, filepath.Join(q.dir, "objects")); len(left) > 0 {
			t.Errorf("%v", left)
		}
		if err := q.Drop(); err != nil {
			t.Error(err)
		}
	}
	if err := os.Symlink(foreign, filepath.Join(state.Repo("shop"), "packed-refs")); err != nil {
		t.Fatal(err)
	}
	if err := r.sweep("shop"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(state.Repo("shop"), "packed-refs")); err == nil {
		t.Error("a link in the place of packed-refs stays")
	}
}

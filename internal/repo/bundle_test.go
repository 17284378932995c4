package repo

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bundled is a repository with a branch, a tag, and a commit that no ref leads to any more, as a bundle.
func bundled(t *testing.T) (bundle, shallow []byte, head, lost string) {
	t.Helper()
	r, state := newRepos(t)
	dir, work := state.Repo("shop"), t.TempDir()
	runGit(t, work, "init", "-q", "-b", "main")
	runGit(t, work, "commit", "-q", "--allow-empty", "-m", "lost")
	lost = runGit(t, work, "rev-parse", "HEAD")
	runGit(t, dir, "fetch", "-q", work, "+refs/*:refs/*")
	runGit(t, work, "commit", "-q", "--amend", "--allow-empty", "-m", "found")
	runGit(t, work, "tag", "v1")
	runGit(t, dir, "fetch", "-q", work, "+refs/*:refs/*")
	b, shallow := write(t, r, "shop", lost, strings.Repeat("0", 40))
	return b, shallow, runGit(t, work, "rev-parse", "HEAD"), lost
}

func write(t *testing.T, r *Repos, app string, commits ...string) (bundle, shallow []byte) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "bundle"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if shallow, err = NewBundles(r).Write(t.Context(), app, commits, f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b, shallow
}

// TestBundle: a repository that was made from a bundle has its refs, and the commits that were asked for.
func TestBundle(t *testing.T) {
	bundle, shallow, head, lost := bundled(t)
	r, state := newRepos(t)
	if err := NewBundles(r).Read(t.Context(), "shop", shallow, bytes.NewReader(bundle)); err != nil {
		t.Fatal(err)
	}
	dir := state.Repo("shop")
	if got := runGit(t, dir, "for-each-ref", "--format=%(refname) %(objectname)"); got != "refs/heads/main "+head+"\nrefs/tags/v1 "+head {
		t.Errorf("%s", got)
	}
	if got := runGit(t, dir, "log", "-1", "--format=%s", lost); got != "lost" {
		t.Errorf("the commit that was asked for is %q", got)
	}
	runGit(t, dir, "fsck", "--strict")
}

// TestBundleOfNothing says so.
func TestBundleOfNothing(t *testing.T) {
	r, _ := newRepos(t)
	for _, app := range []string{"shop", "none"} {
		if _, err := NewBundles(r).Write(t.Context(), app, nil, os.Stdout); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: %v", app, err)
		}
	}
}

// TestBundleOfShallow: a repository to which a shallow clone was pushed comes back as one.
func TestBundleOfShallow(t *testing.T) {
	r, state := newRepos(t)
	full, work := t.TempDir(), filepath.Join(t.TempDir(), "work")
	runGit(t, full, "init", "-q", "-b", "main")
	for range 3 {
		runGit(t, full, "commit", "-q", "--allow-empty", "-m", "more")
	}
	runGit(t, full, "clone", "-q", "--depth=1", "file://"+full, work)
	runGit(t, state.Repo("shop"), "fetch", "-q", "--update-shallow", "file://"+work, "refs/heads/*:refs/heads/*")
	bundle, shallow := write(t, r, "shop")
	if len(shallow) != 41 {
		t.Fatalf("shallow: %q", shallow)
	}
	if err := NewBundles(r).Read(t.Context(), "again", shallow, bytes.NewReader(bundle)); err != nil {
		t.Fatal(err)
	}
	if got := runGit(t, state.Repo("again"), "rev-list", "--count", "main"); got != "1" {
		t.Errorf("%s commits", got)
	}
}

// TestHostileBundle: a bundle from elsewhere makes no ref outside of refs/, no file outside of the repository, and no
// object that git would refuse of a push.
func TestHostileBundle(t *testing.T) {
	bundle, _, head, _ := bundled(t)
	r, state := newRepos(t)
	evil := t.TempDir()
	runGit(t, evil, "init", "-q", "-b", "main")
	blob := newGit(evil, "hash-object", "-w", "--stdin")
	blob.Stdin = strings.NewReader("evil")
	id, err := blob.Output()
	if err != nil {
		t.Fatal(err)
	}
	tree := newGit(evil, "mktree")
	tree.Stdin = strings.NewReader("100644 blob " + strings.TrimSpace(string(id)) + "\t.git\n")
	if id, err = tree.Output(); err != nil {
		t.Fatal(err)
	}
	runGit(t, evil, "update-ref", "refs/heads/main", runGit(t, evil, "commit-tree", "-m", "evil", strings.TrimSpace(string(id))))
	runGit(t, evil, "bundle", "create", "-q", "all", "--all")
	dotGit, err := os.ReadFile(filepath.Join(evil, "all"))
	if err != nil {
		t.Fatal(err)
	}
	with := func(line string) string {
		return "# v2 git bundle\n" + line + "\n" + string(bundle[len("# v2 git bundle\n"):])
	}
	for name, b := range map[string]string{
		"nothing": "", "no bundle": "PACK", "cut off": string(bundle[:len(bundle)-30]), "no pack": "# v2 git bundle\n\n",
		"a ref outside": with(head + " ../../hooks/post-receive"), "a line break": with(head + " refs/heads/x\rdelete refs/heads/main"),
		"a prerequisite": with("-" + head), "an endless line": "# v2 git bundle\n" + strings.Repeat("x", 1<<20),
		"a folder .git in a tree": string(dotGit),
		"other bytes":             string(bundle[:len(bundle)-40]) + "x" + string(bundle[len(bundle)-39:]),
	} {
		if err := NewBundles(r).Read(t.Context(), "victim", nil, strings.NewReader(b)); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
	if got := runGit(t, state.Repo("victim"), "for-each-ref"); got != "" {
		t.Errorf("refs were made: %s", got)
	}
	if err := NewBundles(r).Read(t.Context(), "../victim", nil, bytes.NewReader(bundle)); err == nil {
		t.Error("an app was made whose name is none")
	}
	if err := NewBundles(r).Read(t.Context(), "victim", []byte("../x\n"), bytes.NewReader(bundle)); err == nil {
		t.Error("a file shallow was taken that is none")
	}
}

// FuzzBundle: whatever a bundle begins with, the commands that come of it make refs and do nothing else.
func FuzzBundle(f *testing.F) {
	f.Add("# v2 git bundle\n" + strings.Repeat("a", 40) + " refs/heads/main\n\nPACK")
	f.Add("# v2 git bundle\n" + strings.Repeat("a", 40) + " refs/heads/x\ndelete refs/heads/main\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		updates, err := readRefs(bufio.NewReaderSize(strings.NewReader(text), mostLine))
		if err != nil {
			return
		}
		for l := range strings.Lines(updates) {
			words := strings.Fields(l)
			if len(words) != 3 || words[0] != "create" || !strings.HasPrefix(words[1], "refs/") || len(words[2]) != 40 {
				t.Fatalf("%q", l)
			}
		}
	})
}

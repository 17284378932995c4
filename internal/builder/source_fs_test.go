package builder

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// opened is a commit with these files.
func opened(t *testing.T, files map[string]string) *commit {
	t.Helper()
	r := newRepository(t)
	c, err := openCommit(image.Source{App: "x", Repo: r.path, Commit: r.commit(files)})
	check(t, err)
	t.Cleanup(func() { c.close() }) //nolint:errcheck // it was only read
	return c
}

// TestRepoFS: the files of a commit are an fs.FS as the standard library has it.
func TestRepoFS(t *testing.T) {
	plain := opened(t, map[string]string{
		"package.json": "{}", "lib/a.js": "a", "lib/deep/b.js": strings.Repeat("b", 2<<20), "lib-2": "git has it before lib/",
	})
	if err := fstest.TestFS(repoFS{plain}, "package.json", "lib/a.js", "lib/deep/b.js", "lib-2"); err != nil {
		t.Error(err)
	}
}

// TestRepoFSFollowsNoLinks: a link says where it leads, and that is all.
func TestRepoFSFollowsNoLinks(t *testing.T) {
	c := opened(t, map[string]string{"link": "-> lib/a.js", "lib/a.js": "a", "dangling": "-> nowhere", "out": "-> /etc/passwd"})
	if target, err := fs.ReadLink(repoFS{c}, "out"); err != nil || target != "/etc/passwd" {
		t.Errorf("the link leads to %q, %v", target, err)
	}
	for _, name := range []string{"link", "out", "dangling"} {
		if b, err := fs.ReadFile(repoFS{c}, name); err == nil {
			t.Errorf("%s was followed: %.20q", name, b)
		}
	}
	for _, name := range []string{"none", "lib/none", "none/a.js", "package.json/x", "link/x"} {
		if _, err := fs.Stat(repoFS{c}, name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if info, err := fs.Lstat(repoFS{c}, "link"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link is %v, %v", info, err)
	}
	if _, err := fs.Stat(repoFS{c}, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
}

// TestRepoFSWithHostileTrees: what git itself would never make is no file, and breaks nothing.
func TestRepoFSWithHostileTrees(t *testing.T) {
	h := newHostile(t)
	blob := h.blob("content")
	tree, err := object.GetTree(h.commit.store, h.tree(
		object.TreeEntry{Name: "..", Mode: filemode.Regular, Hash: blob},
		object.TreeEntry{Name: "a/b", Mode: filemode.Regular, Hash: blob},
		object.TreeEntry{Name: "folder", Mode: filemode.Dir, Hash: blob},
		object.TreeEntry{Name: "package.json", Mode: filemode.Submodule, Hash: blob},
	))
	check(t, err)
	repo := repoFS{&commit{store: h.commit.store, tree: tree}}
	for _, name := range []string{"..", "a/b", "folder/x"} {
		if _, err := fs.ReadFile(repo, name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, err := fs.ReadDir(repo, "folder"); err == nil {
		t.Error("a blob was listed")
	}
	if all, err := fs.ReadDir(repo, "."); err != nil || len(all) != 4 {
		t.Errorf("the root: %v, %v", all, err)
	}
	_, err = nodeapp.MakePlan(repo, "")
	rejected(t, err, "no package.json at the root")
}

// TestPlanOfCommit: the rules of package nodeapp hold for what git has.
func TestPlanOfCommit(t *testing.T) {
	const good = `{"main":"lib/a.js"}`
	for name, tt := range map[string]struct {
		files   map[string]string
		refused string
	}{
		"good":                   {map[string]string{"package.json": good, "lib/a.js": ""}, ""},
		"empty":                  {nil, "the repository is empty"},
		"no package.json":        {map[string]string{"a.js": ""}, "no package.json at the root"},
		"below":                  {map[string]string{"app/package.json": "{}"}, "no package.json at the root"},
		"a folder":               {map[string]string{"package.json/x": "{}"}, "no package.json at the root"},
		"a symlink":              {map[string]string{"package.json": "-> p.json", "p.json": "{}"}, "package.json is a symlink"},
		"a lockfile's symlink":   {map[string]string{"package.json": good, "package-lock.json": "-> p"}, "package-lock.json is a symlink"},
		"too large":              {map[string]string{"package.json": strings.Repeat(" ", 1<<20+1)}, "package.json is larger than 1 MiB"},
		"main is not there":      {map[string]string{"package.json": good}, "there is no such file"},
		"main through a symlink": {map[string]string{"package.json": good, "lib": "-> src", "src/a.js": ""}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := nodeapp.MakePlan(repoFS{opened(t, tt.files)}, "")
			if tt.refused != "" {
				rejected(t, err, tt.refused)
			} else if err != nil || p.Start.From != "lib/a.js" {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/nodeos-dev/gitd/internal/builder/links"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

func TestCheckEntry(t *testing.T) {
	for name, c := range map[string]struct{ dir, name, refused string }{
		"plain":             {"", "server.js", ""},
		"below":             {"lib", "a b.js", ""},
		"dots in a name":    {"", "..a..", ""},
		"unicode":           {"", "grüße.js", ""},
		"255 bytes":         {strings.Repeat("d", 100), strings.Repeat("f", 154), ""},
		"empty":             {"", "", "not allowed"},
		"dot":               {"", ".", "not allowed"},
		"dot dot":           {"a", "..", "not allowed"},
		"slash":             {"", "a/b", "not allowed"},
		"absolute":          {"", "/etc", "not allowed"},
		".git":              {"sub", ".git", "not allowed"},
		".GIT":              {"", ".GIT", "not allowed"},
		"newline":           {"", "a\nb", "control character"},
		"NUL":               {"", "a\x00b", "control character"},
		"escape":            {"", "a\x1b[2J", "control character"},
		"C1 control":        {"", "a\u0085", "control character"},
		"not UTF-8":         {"", "a\xff", "not UTF-8"},
		"a path of 1,755":   {strings.Repeat("d", 1500), strings.Repeat("f", 254), ""},
		"a path too long":   {strings.Repeat("d", 3800), strings.Repeat("f", 40), "longer than 3840"},
		"one name too long": {"", strings.Repeat("f", 255), "longer than 254"},
	} {
		t.Run(name, func(t *testing.T) {
			full, err := checkEntry(c.dir, c.name)
			if c.refused != "" {
				rejected(t, err, c.refused)
			} else if want := strings.TrimPrefix(c.dir+"/"+c.name, "/"); err != nil || full != want {
				t.Errorf("got %q, %v; want %q", full, err, want)
			}
		})
	}
}

// FuzzTreeNames: whatever a tree holds, what passes stays below the folder
// and can be written there.
func FuzzTreeNames(f *testing.F) {
	f.Add("lib", "server.js", "../x")
	f.Add("", "..", "/etc/passwd")
	f.Add("a/b", ".git", "c/../../../..")
	f.Fuzz(func(t *testing.T, dir, name, target string) {
		if dir != "" {
			for part := range strings.SplitSeq(dir, "/") {
				if _, err := checkEntry("", part); err != nil {
					t.Skip()
				}
			}
		}
		full, err := checkEntry(dir, name)
		if err != nil {
			return
		}
		if !filepath.IsLocal(full) || strings.ContainsAny(full, "\n\x00") || len(full) > maxPath {
			t.Errorf("%q passed", full)
		}
		if links.New(fstest.MapFS{}).Check(full, target) == nil && !filepath.IsLocal(filepath.Join(filepath.Dir(full), target)) {
			t.Errorf("the link %q to %q passed", full, target)
		}
	})
}

// hostile stores a commit of trees that git itself would never make.
type hostile struct {
	*repository
	commit *commit
}

func newHostile(t *testing.T) hostile {
	t.Helper()
	r := newRepository(t)
	c, err := openCommit(image.Source{App: "x", Repo: r.path, Commit: r.commit(nil)})
	check(t, err)
	t.Cleanup(func() { check(t, c.close()) })
	return hostile{r, c}
}

func (h hostile) blob(content string) plumbing.Hash {
	o := h.commit.store.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	check(h.t, err)
	_, err = w.Write([]byte(content))
	check(h.t, err)
	hash, err := h.commit.store.SetEncodedObject(o)
	check(h.t, err)
	return hash
}

func (h hostile) tree(entries ...object.TreeEntry) plumbing.Hash {
	var raw strings.Builder
	for _, e := range entries {
		mode := strings.TrimLeft(e.Mode.String(), "0")
		raw.WriteString(mode + " " + e.Name + "\x00" + string(e.Hash[:]))
	}
	o := h.commit.store.NewEncodedObject()
	o.SetType(plumbing.TreeObject)
	w, err := o.Writer()
	check(h.t, err)
	_, err = w.Write([]byte(raw.String()))
	check(h.t, err)
	hash, err := h.commit.store.SetEncodedObject(o)
	check(h.t, err)
	return hash
}

func TestHostileTrees(t *testing.T) {
	h := newHostile(t)
	blob := h.blob("content")
	file := func(name string) object.TreeEntry {
		return object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: blob}
	}
	dir := func(name string, entries ...object.TreeEntry) object.TreeEntry {
		return object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: h.tree(entries...)}
	}
	link := func(name, target string) object.TreeEntry {
		return object.TreeEntry{Name: name, Mode: filemode.Symlink, Hash: h.blob(target)}
	}
	deep := file("x")
	for range maxDepth + 2 {
		deep = dir("d", deep)
	}
	for name, c := range map[string]struct {
		entries []object.TreeEntry
		refused string
	}{
		"dot dot":                 {[]object.TreeEntry{dir("..", file("x"))}, "not allowed"},
		"slash":                   {[]object.TreeEntry{file("../x")}, "not allowed"},
		"newline":                 {[]object.TreeEntry{file("a\nb")}, "control character"},
		".git":                    {[]object.TreeEntry{dir("a", dir(".git", file("config")))}, "not allowed"},
		"twice":                   {[]object.TreeEntry{file("a"), file("a")}, "there twice"},
		"write through a link":    {[]object.TreeEntry{link("a", "b"), dir("a", file("x")), dir("b")}, "there twice"},
		"absolute link":           {[]object.TreeEntry{link("a", "/etc/passwd")}, "points outside"},
		"link above":              {[]object.TreeEntry{dir("a", link("b", "../../x"))}, "points outside"},
		"submodule":               {[]object.TreeEntry{{Name: "sub", Mode: filemode.Submodule, Hash: blob}}, "git submodule"},
		"too deep":                {[]object.TreeEntry{deep}, "nested more than"},
		"huge link":               {[]object.TreeEntry{link("a", strings.Repeat("x", 5000))}, "not allowed"},
		"name of more than 254":   {[]object.TreeEntry{file(strings.Repeat("b", 255))}, "longer than 254"},
		"a folder that is a blob": {[]object.TreeEntry{{Name: "a", Mode: filemode.Dir, Hash: blob}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tree, err := object.GetTree(h.commit.store, h.tree(c.entries...))
			check(t, err)
			into := t.TempDir()
			_, err = (&commit{store: h.commit.store, tree: tree}).export(t.Context(), into, os.Getuid(), os.Getgid())
			if c.refused != "" {
				rejected(t, err, c.refused)
			} else if err == nil {
				t.Error("no error")
			}
		})
	}
}

// TestLongPaths: the longest path that a repository may have is written, packed and removed. Before, a path was refused
// above 255 bytes, which is Linux's limit for one name in it.
func TestLongPaths(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	h := newHostile(t)
	e := object.TreeEntry{Name: strings.Repeat("f", maxName), Mode: filemode.Regular, Hash: h.blob("content")}
	for range maxPath/(maxName+1) - 1 {
		e = object.TreeEntry{Name: strings.Repeat("ä", maxName/2), Mode: filemode.Dir, Hash: h.tree(e)}
	}
	tree, err := object.GetTree(h.commit.store, h.tree(e))
	check(t, err)
	state := core.StateDir(t.TempDir())
	check(t, state.Create())
	into := filepath.Join(state.Builds(), "build-1234567890", "app")
	check(t, os.MkdirAll(into, 0o755))
	_, err = (&commit{store: h.commit.store, tree: tree}).export(t.Context(), into, os.Getuid(), os.Getgid())
	check(t, err)
	check(t, checkPackable(into, "the app"))
	layer, err := image.OpenLayers(state).Store(t.Context(), into, nil)
	check(t, err)
	if err := image.CheckLayer(state, layer); err != nil {
		t.Error(err)
	}
	check(t, disk.RemoveAll(into))
}

func TestExport(t *testing.T) {
	r := newRepository(t)
	r.commit(map[string]string{
		"a/b/c.js": "c", "run.sh": "#!/bin/sh", "link": "-> a/b", "dangling": "-> nowhere",
		"node_modules/x/index.js": "x", "lib/node_modules/y/index.js": "y",
		"big.bin": lfsHeader + "oid sha256:00\nsize 1\n",
	})
	r.git("update-index", "--chmod=+x", "run.sh")
	r.git("commit", "-q", "-m", "x")
	name := r.git("rev-parse", "HEAD")
	c, err := openCommit(image.Source{App: "x", Repo: r.path, Commit: name})
	check(t, err)
	defer c.close() //nolint:errcheck // a test's
	dir := t.TempDir()
	x, err := c.export(t.Context(), dir, os.Getuid(), os.Getgid())
	check(t, err)
	if len(x.lfs) != 1 || x.lfs[0] != "big.bin" {
		t.Errorf("pointers: %q", x.lfs)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err == nil {
		t.Error("the committed node_modules was exported")
	}
	if _, err := os.Stat(filepath.Join(dir, "lib/node_modules/y/index.js")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "run.sh")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("run.sh: %v, %v", info, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "link/c.js")); err != nil || string(b) != "c" {
		t.Errorf("through the link: %q, %v", b, err)
	}
}

// TestAlternates: objects may be in another repository, as after a clone
// with --reference, and the repository may be shallow.
func TestAlternates(t *testing.T) {
	r := newRepository(t)
	r.commit(map[string]string{"package.json": `{"main":"a.js"}`, "a.js": ""})
	name := r.commit(map[string]string{"b.js": ""})
	r.git("gc", "-q")
	for kind, args := range map[string][]string{
		"alternates": {"clone", "-q", "--bare", "--shared", r.path},
		"shallow":    {"clone", "-q", "--bare", "--depth=1", "file://" + r.path},
	} {
		t.Run(kind, func(t *testing.T) {
			other := filepath.Join(t.TempDir(), "o.git")
			r.git(append(args, other)...)
			c, err := openCommit(image.Source{App: "x", Repo: other, Commit: name})
			check(t, err)
			defer c.close() //nolint:errcheck // a test's
			if _, err := nodeapp.MakePlan(repoFS{c}, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

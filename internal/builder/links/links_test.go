package links

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nodeos-dev/gitd/internal/core"
)

// linksIn is a repository with these files; "-> x" is a symlink to x.
func linksIn(files map[string]string) fstest.MapFS {
	repo := fstest.MapFS{}
	for name, content := range files {
		target, link := strings.CutPrefix(content, "-> ")
		mode := fs.FileMode(0o644)
		if link {
			mode = fs.ModeSymlink | 0o777
		}
		repo[name] = &fstest.MapFile{Data: []byte(target), Mode: mode}
	}
	return repo
}

// TestLinks: `../shared/../server.js` was refused, because a link must not go down and up again. That was so because
// "shared" could be a link that leads elsewhere. Now it is looked up.
func TestLinks(t *testing.T) {
	repo := linksIn(map[string]string{
		"server.js": "", "shared/lib.js": "", "app/real/x.js": "", "a/b/c/deep.js": "",
		"deep": "-> a/b/c", "app/up": "-> ..", "app/twice": "-> up/deep", "out": "-> ../../etc",
		"circle": "-> circle", "tick": "-> tock", "tock": "-> tick",
	})
	for name, c := range map[string]struct{ link, target, refused string }{
		"beside":                             {"l", "b", ""},
		"up and down":                        {"a/b/l", "../../d/e", ""},
		"to the root":                        {"a/l", "..", ""},
		"dangling":                           {"l", "nowhere", ""},
		"down and up, along a folder":        {"app/l", "../shared/../server.js", ""},
		"along what the build makes":         {"app/l", "../dist/../server.js", ""},
		"through a link, still inside":       {"l", "deep/../../..", ""},
		"through a link that climbs":         {"app/l", "up/server.js", ""},
		"through two links":                  {"app/l", "twice/../../../server.js", ""},
		"absolute":                           {"l", "/etc/passwd", "outside"},
		"above":                              {"l", "../b", "outside"},
		"above, deeper":                      {"a/l", "../../etc/passwd", "outside"},
		"above, and in again":                {"l", "../repo/server.js", "outside"},
		"hidden in the dots":                 {"a/l", "./.././../x", "outside"},
		"along a folder, then above":         {"app/l", "../shared/../../x", "outside"},
		"inside by its words, not by a link": {"app/l", "up/../x", "outside"},
		"through a link that is out":         {"l", "out/passwd", "outside"},
		"a circle":                           {"l", "circle", "more than 40"},
		"a larger circle":                    {"l", "tick/x", "more than 40"},
		"empty":                              {"l", "", "not allowed"},
		"newline":                            {"l", "b\nc", "not allowed"},
		"too long":                           {"l", strings.Repeat("x", MaxPath+1), "not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			err := New(repo).Check(c.link, c.target)
			if c.refused != "" {
				rejected(t, err, c.refused)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestManyLinks: the work for all links of a commit has a bound.
func TestManyLinks(t *testing.T) {
	j := New(fstest.MapFS{})
	long := strings.Repeat("a/../", 700) + "b"
	for range 10 {
		check(t, j.Check("l", long))
	}
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = j.Check("l", long)
	}
	rejected(t, err, "too many")
}

// FuzzLinks: where the judge lets a link lead, the kernel finds a place inside, whatever other links are there.
func FuzzLinks(f *testing.F) {
	f.Add("d/../server.js", "up/x", "..", "a/b")
	f.Add("l2/../..", "../l3", "d/e", "l1")
	f.Fuzz(func(t *testing.T, one, two, three, four string) {
		targets := map[string]string{"l1": one, "d/l2": two, "d/e/l3": three, "l4": four}
		files := map[string]string{"server.js": "", "d/x": "", "d/e/y": "", "a/b/c": ""}
		for name, target := range targets {
			files[name] = "-> " + target
		}
		outer := t.TempDir()
		inside := filepath.Join(outer, "repo")
		for name := range files {
			check(t, os.MkdirAll(filepath.Join(inside, filepath.Dir(name)), 0o755))
		}
		judge := New(linksIn(files))
		for name, target := range targets {
			if err := judge.Check(name, target); err != nil {
				t.Skip("refused")
			}
			if err := os.Symlink(target, filepath.Join(inside, name)); err != nil {
				t.Skip(err)
			}
		}
		for name := range targets {
			real, err := filepath.EvalSymlinks(filepath.Join(inside, name))
			if err == nil && real != inside && !strings.HasPrefix(real, inside+"/") {
				t.Errorf("%q leads to %s", targets, real)
			}
		}
	})
}

// rejected expects a *core.Rejection with this reason.
func rejected(t *testing.T, err error, reason string) {
	t.Helper()
	if r, ok := errors.AsType[*core.Rejection](err); !ok || !strings.Contains(r.Reason, reason) || strings.Contains(r.Reason, "\n") {
		t.Errorf("got %v (%T), want a rejection with %q", err, err, reason)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

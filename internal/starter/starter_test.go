package starter

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// each runs a test for each starter, in the folder that a person gets.
func each(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), s.Name)
			if err := Write(s.Name, dir); err != nil {
				t.Fatal(err)
			}
			test(t, dir)
		})
	}
}

// TestPlans: a starter is planned as it is, and nothing about it needs a warning.
func TestPlans(t *testing.T) {
	each(t, func(t *testing.T, dir string) {
		plan, err := nodeapp.MakePlan(os.DirFS(dir).(fs.ReadLinkFS), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range plan.Warnings {
			t.Error(w)
		}
		if plan.Install && plan.LockName != nodeapp.LockFile {
			t.Errorf("it is installed by %q, not by npm's lockfile", plan.LockName)
		}
	})
}

// pkg is what package.json and the first entry of a lockfile have in common.
type pkg struct {
	Name            string            `json:"name"`
	Version         string            `json:"version"`
	Engines         map[string]string `json:"engines"`
	Dependencies    map[string]string `json:"dependencies"`
	DevDependencies map[string]string `json:"devDependencies"`
}

var exact = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// TestLockfiles: package.json names exact versions, and the lockfile is of this package.json, with a hash for each
// package. npm ci refuses one that is not.
func TestLockfiles(t *testing.T) {
	each(t, func(t *testing.T, dir string) {
		text, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if os.IsNotExist(err) {
			return // a folder of pages
		}
		var wants pkg
		read(t, text, err, &wants)
		var lock struct {
			Packages map[string]struct {
				pkg
				Integrity string `json:"integrity"`
			} `json:"packages"`
		}
		text, err = os.ReadFile(filepath.Join(dir, nodeapp.LockFile))
		read(t, text, err, &lock)
		has := lock.Packages[""].pkg
		if has.Name != wants.Name || has.Version != wants.Version || !maps.Equal(has.Engines, wants.Engines) ||
			!maps.Equal(has.Dependencies, wants.Dependencies) || !maps.Equal(has.DevDependencies, wants.DevDependencies) {
			t.Errorf("the lockfile is not of this package.json; `npm install --package-lock-only` there writes it:\n%+v\n%+v", has, wants)
		}
		for _, list := range []map[string]string{wants.Dependencies, wants.DevDependencies} {
			for name, version := range list {
				if !exact.MatchString(version) {
					t.Errorf("%s is not pinned: %s", name, version)
				}
			}
		}
		for name, p := range lock.Packages {
			if name != "" && !strings.HasPrefix(p.Integrity, "sha512-") {
				t.Errorf("%s has no hash in the lockfile", name)
			}
		}
	})
}

func read(t *testing.T, text []byte, err error, into any) {
	t.Helper()
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestFolders: a starter has what each repository has, and nothing that npm or a build left in templates/apps: it would
// become part of gitd.
func TestFolders(t *testing.T) {
	left := regexp.MustCompile(`(^|/)(node_modules|dist|\.next|.*\.(log|img|qcow2|tsbuildinfo))$`)
	each(t, func(t *testing.T, dir string) {
		for _, name := range []string{".gitignore", "README.md"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Error(err)
			}
		}
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
			if left.MatchString(name) {
				t.Errorf("%s is not of the starter; remove it", name)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestList: the sentence of a starter fits into a line of a terminal, and means nothing to it.
func TestList(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if n := len(s.Name + s.About); n < 20 || n > 100 || s.About != progress.Printable(s.About) || strings.ContainsAny(s.About, "`[*") {
			t.Errorf("%s: %q", s.Name, s.About)
		}
	}
}

// TestWrite: what is in a folder already stays, and modes do not depend on how gitd carries the files.
func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "shop")
	if err := Write("hello", dir); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "server.js"))
	if err != nil || info.Mode().Perm()&0o600 != 0o600 {
		t.Errorf("%v, %v: its owner cannot change it", info, err)
	}
	before, err := os.Stat(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, taken := range []string{dir, filepath.Join(dir, "server.js"), filepath.Join(dir, "server.js", "x")} {
		if err := Write("express", taken); err == nil {
			t.Errorf("%s was taken", taken)
		}
	}
	if after, err := os.Stat(filepath.Join(dir, "README.md")); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("%v, %v: a file that was there is another one", after, err)
	}
	empty := t.TempDir()
	if err := Write("hello", empty); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
}

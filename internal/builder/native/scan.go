package native

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Want is something that a compiled file of an app wants of its machine.
type Want struct {
	File  string   `json:"file"`            // below the app's folder
	Needs []string `json:"needs,omitempty"` // libraries that are not in the app's own folders
	// Versions are symbol versions, as "libc.so.6 GLIBC_2.38".
	Versions []string `json:"versions,omitempty"`
	Loaded   bool     `json:"loaded,omitempty"` // Node will load it
}

// Limits of a scan.
const (
	maxFiles   = 1_000_000
	maxObjects = 20_000
	maxDepth   = 128 // of folders; no image is made of deeper ones
)

// tree is the compiled files of an app.
type tree struct {
	objects map[string]object   // by path
	byName  map[string][]string // by the name of the file, and by the SONAME
	seen    int
}

// Scan reads the compiled files below dirs, which will be one folder in the machine, and says what they want of it.
func Scan(dirs ...string) ([]Want, error) {
	t := tree{objects: map[string]object{}, byName: map[string][]string{}}
	for _, dir := range dirs {
		if err := t.read(dir); err != nil {
			return nil, err
		}
	}
	return t.wants(), nil
}

func (t *tree) read(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) || strings.Count(name, "/") > maxDepth {
			return fs.SkipDir
		}
		if err != nil {
			return err
		}
		if t.seen++; t.seen > maxFiles || len(t.objects) > maxObjects {
			return fs.SkipAll
		}
		if e.Type().IsRegular() {
			return t.look(root, name, e)
		}
		return nil
	})
}

// look adds a file, if it is an object of this machine. One that is broken wants nothing: Node will say of it what is
// to be said.
func (t *tree) look(root *os.Root, name string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil || !mayMatter(name, info.Mode()&0o111 != 0) {
		return disk.IgnoreMissing(err)
	}
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return disk.IgnoreMissing(err)
	}
	defer f.Close()
	machine, _ := here()
	o, err := readObject(f, machine)
	if err != nil || o.otherLibc() {
		return nil // it is no object that can be loaded here
	}
	t.add(name, o)
	return nil
}

func (t *tree) add(name string, o object) {
	t.objects[name] = o
	names := []string{path.Base(name)}
	if o.soname != "" && o.soname != names[0] {
		names = append(names, o.soname)
	}
	for _, n := range names {
		t.byName[n] = append(t.byName[n], name)
	}
}

// find is the app's own file that is loaded as library by the file name: that of its run path, or, wherever it is, one
// of the library's name. The latter may be loaded already when it is wanted, or be found by a variable that the app
// sets; to refuse such an app would be wrong more often than right.
func (t *tree) find(name, library string) (string, bool) {
	if strings.Contains(library, "/") {
		return "", false
	}
	for _, dir := range t.objects[name].runpath {
		at, ok := expand(dir, path.Dir(name))
		if !ok {
			continue
		}
		if p := path.Join(at, library); t.has(p) {
			return p, true
		}
	}
	if all := t.byName[library]; len(all) > 0 {
		return all[0], true
	}
	return "", false
}

func (t *tree) has(name string) bool { _, ok := t.objects[name]; return ok }

// expand makes a folder of a run path into one below the app's; false: it is elsewhere.
func expand(dir, origin string) (string, bool) {
	for _, word := range []string{"$ORIGIN", "${ORIGIN}"} {
		if rest, ok := strings.CutPrefix(dir, word); ok {
			return path.Join(origin, rest), true
		}
	}
	return strings.CutPrefix(path.Clean(dir), guest.AppDir+"/")
}

// wants says what each object wants that the app does not bring, with what the app's own libraries want in turn.
func (t *tree) wants() []Want {
	loaded := map[string]bool{}
	for name := range t.objects {
		if loadable(name) {
			t.follow(name, loaded)
		}
	}
	var all []Want
	for name, o := range t.objects {
		w := Want{File: name, Loaded: loaded[name]}
		for _, n := range o.needed {
			if _, own := t.find(name, n); !own {
				w.Needs = append(w.Needs, n)
			}
		}
		for _, v := range o.versions {
			if _, own := t.find(name, v.library); !own {
				w.Versions = append(w.Versions, v.library+" "+v.name)
			}
		}
		if len(w.Needs) > 0 || len(w.Versions) > 0 {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b Want) int { return strings.Compare(a.File, b.File) })
	return all
}

// follow marks a file that is loaded, and what it loads of the app's own.
func (t *tree) follow(name string, loaded map[string]bool) {
	if loaded[name] {
		return
	}
	loaded[name] = true
	for _, n := range t.objects[name].needed {
		if own, ok := t.find(name, n); ok {
			t.follow(own, loaded)
		}
	}
}

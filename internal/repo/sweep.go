package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/disk"
)

// unfinished are the places in a repository where objects are while they are received, or packed anew.
var unfinished = []string{quarantines + "/*", "objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*"}

// locks are files that a process of git holds while it changes a ref or a setting. While such a file is there, no other
// process of git makes that change. A label that was being written goes with them.
var locks = []string{"*.lock", "refs/heads/*.lock", ".gitd.json*"}

// sweep removes what killed receive-packs of app have left. Git itself would do so after two weeks at the earliest.
// Only the app's gate calls it, because only the gate knows that no receive-pack is still writing.
func (r *Repos) sweep(app string) error {
	dir := r.state.Repo(app)
	return errors.Join(removeAll(dir, unfinished), walkRefs(dir, odd))
}

// sweepAll removes what was left by processes of git that were killed together with an earlier gitd.
func (r *Repos) sweepAll() error {
	repos, err := filepath.Glob(r.state.Repo("*"))
	if err != nil {
		return err
	}
	for _, dir := range repos {
		err = errors.Join(err, removeAll(dir, unfinished), removeAll(dir, locks), walkRefs(dir, func(path string, e fs.DirEntry) bool {
			return odd(path, e) || strings.HasPrefix(path, "refs/tags/") && strings.HasSuffix(path, ".lock")
		}))
	}
	return err
}

// odd finds what git never makes: pipes, at which whoever reads refs would wait for ever, and links, which lead out of
// the repository whoever is not behind git's walls.
func odd(_ string, e fs.DirEntry) bool { return !e.IsDir() && !e.Type().IsRegular() }

// walkRefs removes what is wrong in the top folder of a repository, and below refs.
func walkRefs(dir string, wrong func(path string, e fs.DirEntry) bool) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return disk.IgnoreMissing(err) // the app was removed
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return disk.IgnoreMissing(err)
		case wrong(path, e):
			return root.Remove(path)
		case e.IsDir() && path != "." && path != "refs" && !strings.HasPrefix(path, "refs/"):
			return fs.SkipDir
		}
		return nil
	})
}

func removeAll(dir string, patterns []string) error {
	var errs []error
	for _, p := range patterns {
		found, err := fs.Glob(os.DirFS(dir), p)
		errs = append(errs, err)
		for _, name := range found {
			errs = append(errs, disk.RemoveAll(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

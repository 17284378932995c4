package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unfinished are the places in a repository where objects are while they are received.
var unfinished = []string{"objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*"}

// locks are files that a process of git holds while it changes a ref or a setting. While such a file is there, no other
// process of git makes that change. A label that was being written goes with them.
var locks = []string{"*.lock", "refs/heads/*.lock", ".gitd.json*"}

// sweep removes what killed receive-packs of app have left. Git itself would do so after two weeks at the earliest.
// Only the app's gate calls it, because only the gate knows that no receive-pack is still writing.
func (r *Repos) sweep(app string) error { return removeAll(r.state.Repo(app), unfinished) }

// sweepAll removes what was left by processes of git that were killed together with an earlier gitd.
func (r *Repos) sweepAll() error {
	repos, err := filepath.Glob(r.state.Repo("*"))
	if err != nil {
		return err
	}
	for _, dir := range repos {
		err = errors.Join(err, removeAll(dir, unfinished), removeAll(dir, locks), unlockTags(dir))
	}
	return err
}

// unlockTags removes the locks of tags, whose names may have folders.
func unlockTags(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), "refs/tags", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".lock") {
			return err
		}
		return root.Remove(path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func removeAll(dir string, patterns []string) error {
	var errs []error
	for _, p := range patterns {
		found, err := fs.Glob(os.DirFS(dir), p)
		errs = append(errs, err)
		for _, name := range found {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, name)))
		}
	}
	return errors.Join(errs...)
}

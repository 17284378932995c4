package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// unfinished are the places, in a repository, of objects on their way in.
var unfinished = []string{"objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*"}

// locks are files that a git holds while it changes a ref or a setting; the
// next one refuses to work beside them. With them goes a label that was being
// written.
var locks = []string{"*.lock", "refs/heads/*.lock", ".gitd.json*"}

// sweep removes what killed receive-packs of app left. git itself would after
// two weeks at the earliest; that none is still writing only the app's gate
// knows.
func (r *Repos) sweep(app string) error { return removeAll(r.state.Repo(app), unfinished) }

// sweepAll removes what gits that were killed with an earlier gitd left.
func (r *Repos) sweepAll() error {
	repos, err := filepath.Glob(r.state.Repo("*"))
	if err != nil {
		return err
	}
	for _, dir := range repos {
		err = errors.Join(err, removeAll(dir, unfinished), removeAll(dir, locks))
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

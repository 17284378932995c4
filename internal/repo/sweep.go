package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// receiving counts the receive-packs that run, by app. A killed one leaves
// the objects it was given behind, which git itself removes after two weeks
// at the earliest; whether they are still being written only this process
// knows.
type receiving struct {
	mu   sync.Mutex
	runs map[string]int
}

func (r *receiving) begin(app string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.runs[app]++
}

// end calls sweep if no other receive-pack of app runs, and keeps the next
// one waiting until it is done.
func (r *receiving) end(app string, sweep func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs[app]--; r.runs[app] > 0 {
		return nil
	}
	delete(r.runs, app)
	return sweep()
}

// unfinished are the places, in a repository, of objects on their way in.
var unfinished = []string{"objects/tmp_objdir-*", "objects/incoming-*", "objects/pack/tmp_*"}

// locks are files that a git holds while it changes a ref or a setting; the
// next one refuses to work beside them.
var locks = []string{"*.lock", "refs/heads/*.lock"}

// sweep removes what killed receive-packs of app left.
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

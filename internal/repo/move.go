package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Remove implements deploy.Repos.
func (r *Repos) Remove(_ context.Context, app string) error {
	if err := core.CheckName(app); err != nil {
		return err
	}
	done := r.gates.of(app).push()
	return errors.Join(os.RemoveAll(r.state.Repo(app)), done())
}

// Rename implements deploy.Repos. Nothing is overwritten; a renaming that was
// broken off can be done again.
func (r *Repos) Rename(_ context.Context, from, to string) (err error) {
	if err := errors.Join(core.CheckName(from), core.CheckName(to)); err != nil {
		return err
	}
	done := r.gates.of(from).push()
	defer func() { err = errors.Join(err, done()) }()
	if _, err := os.Lstat(r.state.Repo(from)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Lstat(r.state.Repo(to)); err == nil {
		return fmt.Errorf("%s is in the way of the repository of %s", r.state.Repo(to), from)
	}
	return os.Rename(r.state.Repo(from), r.state.Repo(to))
}

package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Remove implements apps.Files.
func (r *Repos) Remove(_ context.Context, app string) error {
	if err := core.CheckName(app); err != nil {
		return err
	}
	done := r.gates.of(app).push()
	return errors.Join(os.RemoveAll(r.state.Repo(app)), done())
}

// Rename implements apps.Files. It overwrites nothing, and a rename that was interrupted can be repeated.
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
	if err := os.Rename(r.state.Repo(from), r.state.Repo(to)); err != nil {
		return err
	}
	return r.sweep(to) // what pushes to the old name have brought: they are refused
}

package apps

import (
	"cmp"
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// SetFolder sets which folder of its repository app is, from the next build on; "": what the repository says. An app
// that does not exist is made, as by a first push: of such a repository, a first push before this could only fail.
func (s *Apps) SetFolder(ctx context.Context, by core.Actor, app, dir string) (err error) {
	if dir != "" {
		if dir, err = core.CleanFolder(dir); err != nil {
			return err
		}
	}
	if _, err := s.EnsureApp(ctx, by, app); err != nil {
		return err
	}
	err = s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		a.Dir = dir
		return nil
	})
	if err == nil {
		s.cfg.Label(ctx, app)
		s.cfg.Trail.Note(ctx, app, by.Name, "folder.change", cmp.Or(dir, "default"))
	}
	return disk.Rejected(err)
}

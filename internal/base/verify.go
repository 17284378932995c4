package base

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nodeos-dev/gitd/internal/image"
)

// Verify reads the files of the base id, if it has not done so for a day or if they have been touched since, and
// compares them with its list. A base that is damaged is removed, so that
// the next build makes it anew, and is a *core.Rejection. Machines that run on a removed file go on with it.
func (s *Store) Verify(ctx context.Context, id string) error {
	if err := s.check(ctx, id); err != nil {
		return image.Damaged(ctx, "base "+id, err, func() error {
			return image.RemoveFolder(s.cfg.State, s.cfg.State.Base(id))
		})
	}
	return nil
}

// check says how the base id differs from its list, or nil.
func (s *Store) check(ctx context.Context, id string) error {
	c, err := Read(s.cfg.State, id)
	if err != nil {
		return err
	}
	if len(c.Images) < 2 { // a kernel and a root
		return fmt.Errorf("base.json names %d images", len(c.Images))
	}
	for name, file := range c.Images {
		path := filepath.Join(s.cfg.State.Base(id), name)
		read := func() error { return image.CheckDigest(ctx, path, file) }
		if err := s.sound.check(path, time.Now(), read); err != nil {
			return err
		}
	}
	return nil
}

package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gitd/internal/core"
)

// Verify reads every file of an image and compares it with its digest. What
// is damaged is removed, so that the next build makes it anew, and named by a
// *core.Rejection. Machines that run on a removed file go on with it.
func (b *Builder) Verify(ctx context.Context, m core.Manifest) error {
	if err := b.verifyBase(ctx, m.Base); err != nil {
		return err
	}
	for _, l := range []core.Layer{m.Deps, m.App} {
		if l.Digest == "" {
			continue
		}
		path := b.cfg.State.Layer(l.Digest)
		if err := verifyFile(ctx, path, l); err != nil {
			return b.damaged(ctx, fmt.Sprintf("layer %.12s", l.Digest), err, func() error { return os.Remove(path) })
		}
	}
	return nil
}

func (b *Builder) verifyBase(ctx context.Context, id string) error {
	remove := func() error {
		trash := filepath.Join(b.cfg.State.Builds(), "trash-"+id)
		return errors.Join(removeTree(trash), os.Rename(b.cfg.State.Base(id), trash), removeTree(trash))
	}
	base, err := ReadBase(b.cfg.State, id)
	if err == nil && len(base.Images) < 2 { // a kernel and a root
		err = fmt.Errorf("base.json names %d images", len(base.Images))
	}
	if err != nil {
		return b.damaged(ctx, "base "+id, err, remove)
	}
	for name, l := range base.Images {
		if err := verifyFile(ctx, filepath.Join(b.cfg.State.Base(id), name), l); err != nil {
			return b.damaged(ctx, "base "+id, err, remove)
		}
	}
	return nil
}

func (b *Builder) damaged(ctx context.Context, what string, cause error, remove func() error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s of the image is damaged and cannot be removed: %w", what, errors.Join(cause, err))
	}
	b.cfg.Log.Error().Err(cause).Str("file", what).Msg("a file of an image was damaged; it is removed")
	return &core.Rejection{
		Reason: what + " of the image was damaged on the server's disk",
		Hint:   "it is removed; push again, and it is made anew",
		Err:    cause,
	}
}

func verifyFile(ctx context.Context, path string, want core.Layer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := digestReader(ctx, f)
	if err == nil && got != want {
		err = fmt.Errorf("%s: %d bytes with digest %.12s instead of %d with %.12s", path, got.Size, got.Digest, want.Size, want.Digest)
	}
	return err
}

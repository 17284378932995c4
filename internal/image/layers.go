package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// Layers is the store of layers: one file for each, named by its digest, below StateDir.Layers().
type Layers struct {
	state core.StateDir
	walls *walls.Walls // around the packer; nil: none
}

// OpenLayers is the store in state's folder.
func OpenLayers(state core.StateDir) Layers { return Layers{state: state} }

// Behind is the store with a packer behind w: what it reads are a stranger's files.
func (s Layers) Behind(w *walls.Walls) Layers { return Layers{s.state, w} }

// Store packs the folder srcDir as a layer, and keeps collections from removing it. It changes the modes in srcDir
// (see settleModes), so srcDir must be a folder of this build alone, in which nothing runs any more. What cannot be in
// a layer is a *core.Rejection.
func (s Layers) Store(ctx context.Context, srcDir string, hold *Hold) (core.Layer, error) {
	return s.store(ctx, srcDir, guest.AppUID, hold)
}

// StoreSystem is Store for files that belong to root, as those of the base do.
func (s Layers) StoreSystem(ctx context.Context, srcDir string, hold *Hold) (core.Layer, error) {
	return s.store(ctx, srcDir, 0, hold)
}

func (s Layers) store(ctx context.Context, srcDir string, owner int, hold *Hold) (core.Layer, error) {
	if err := settleModes(ctx, srcDir); err != nil {
		return core.Layer{}, err
	}
	tmp, err := os.MkdirTemp(s.state.Builds(), "layer-")
	if err != nil {
		return core.Layer{}, fmt.Errorf("store layer: %w", err)
	}
	defer os.RemoveAll(tmp)
	packed := filepath.Join(tmp, "layer.erofs")
	if err := Pack(ctx, srcDir, packed, Packing{Compression: Quick, Owner: owner, Walls: s.walls}); err != nil {
		return core.Layer{}, err
	}
	layer, err := Seal(packed)
	if err != nil {
		return core.Layer{}, fmt.Errorf("store layer: %w", err)
	}
	hold.Take(layer.Digest)
	if err := place(packed, s.state.Layer(layer.Digest)); err != nil {
		return core.Layer{}, fmt.Errorf("store layer: %w", err)
	}
	return layer, nil
}

// place moves the layer at from to its final name. One that is there already is replaced: its bytes may have rotted
// since, and those at from were just read. A machine that has the old file open goes on with it.
func place(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(to))
}

// Verify reads the layer l and compares it with its digest. One that is damaged is removed, so that the next build
// makes it anew, and is a *core.Rejection. Machines that run on a removed file go on with it.
func (s Layers) Verify(ctx context.Context, l core.Layer) error {
	path := s.state.Layer(l.Digest)
	if err := CheckDigest(ctx, path, l); err != nil {
		return Damaged(ctx, fmt.Sprintf("layer %.12s", l.Digest), err, func() error { return os.Remove(path) })
	}
	return nil
}

// Sweep removes the layers that w does not keep and returns the bytes that this freed. What cannot be removed does
// not stop it; the errors are returned together.
func (s Layers) Sweep(w *Sweep) (freed int64, err error) {
	entries, err := os.ReadDir(s.state.Layers())
	errs := []error{disk.IgnoreMissing(err)}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".erofs")
		if !ok || w.Kept(name) {
			continue
		}
		n, err := w.dropFile(name, s.state.Layer(name))
		freed += n
		errs = append(errs, err)
	}
	return freed, errors.Join(errs...)
}

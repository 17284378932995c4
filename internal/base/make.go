package base

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/base/filelock"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// format is part of every base's id: raise it when the way a base is made changes and its ingredients do not.
const format = 3

// plan is what goes into a base, as data.
type plan struct {
	node   Node
	kernel baseKernel
	root   tree
}

// Ensure makes or finds the base for node and returns its id. When it returns, State.Base(id) is complete and on disk.
// Finding one takes a few milliseconds; several callers at once, in this process or in others, make it once.
func (s *Store) Ensure(ctx context.Context, node Node, r *progress.Report) (id string, err error) {
	p, err := s.plan(ctx, node, r)
	if err != nil {
		return "", fmt.Errorf("plan the NodeOS base: %w", err)
	}
	memo, err := p.memo(s.cfg.State)
	if err != nil {
		return "", fmt.Errorf("plan the NodeOS base: %w", err)
	}
	if id, err := s.remembered(memo); err != nil || id != "" {
		return id, err
	}
	in, err := p.ingredients()
	if err != nil {
		return "", fmt.Errorf("read the parts of the NodeOS base: %w", err)
	}
	if id, err = in.id(); err != nil {
		return "", err
	}
	if err := s.make(ctx, id, p, in, r); err != nil {
		return "", fmt.Errorf("make the NodeOS base: %w", err)
	}
	return id, memo.write(id)
}

func (s *Store) plan(ctx context.Context, node Node, r *progress.Report) (plan, error) {
	root, err := nodeRoot(node, s.cfg.GuestInit)
	if err != nil {
		return plan{}, err
	}
	kernel, err := s.chooseKernel(ctx, r)
	return plan{node: node, kernel: kernel, root: root}, err
}

// remembered returns the memo's id if its base is still there.
func (s *Store) remembered(m memo) (id string, err error) {
	if id, err = m.read(); err != nil || id == "" {
		return "", err
	}
	if ok, err := s.Has(id); err != nil || !ok {
		return "", err
	}
	return id, nil
}

// make fills State.Base(id), unless somebody else does it first.
func (s *Store) make(ctx context.Context, id string, p plan, in ingredients, r *progress.Report) error {
	unlock, err := filelock.Take(ctx, filepath.Join(s.cfg.State.Bases(), ".lock"), func() {
		r.Detail("waiting for another build that prepares a base")
	})
	if err != nil {
		return err
	}
	defer unlock()
	if ok, err := s.Has(id); err != nil || ok {
		return err
	}
	r.Step("Preparing the NodeOS base (Node %s, %s)", in.Node, in.Kernel)
	if p.kernel.why != "" {
		r.Detail("%s", p.kernel.why)
	}
	tmp, err := os.MkdirTemp(s.cfg.State.Builds(), "base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "base")
	if err := os.Mkdir(out, 0o711); err != nil {
		return err
	}
	if err := p.fill(ctx, tmp, out, in, r); err != nil {
		return err
	}
	return publish(out, s.cfg.State.Base(id))
}

// fill writes the files of a base into out. What it makes on the way is in scratch.
func (p plan) fill(ctx context.Context, scratch, out string, in ingredients, r *progress.Report) error {
	list := Contents{ingredients: in, Images: map[string]core.Layer{}}
	names := []string{"kernel", "root.erofs"}
	if err := p.kernel.writeTo(filepath.Join(out, "kernel")); err != nil {
		return err
	}
	if len(p.kernel.initrd) > 0 {
		names = append(names, "initrd")
		if err := p.writeInitrd(filepath.Join(out, "initrd")); err != nil {
			return err
		}
	}
	r.Detail("packing %s", units.Bytes(in.size()))
	if err := p.writeRoot(ctx, filepath.Join(scratch, "root"), filepath.Join(out, "root.erofs")); err != nil {
		return err
	}
	for _, name := range names {
		file, err := image.Seal(filepath.Join(out, name))
		if err != nil {
			return err
		}
		list.Images[name] = file
		r.Detail("%-10s %8s", name, units.Bytes(file.Size))
	}
	return list.write(filepath.Join(out, "base.json"))
}

// writeInitrd leaves the initramfs uncompressed: it has 3 MB, and to unpack LZ4 took as long as to read what LZ4 saves.
func (p plan) writeInitrd(dst string) error {
	var b bytes.Buffer
	if err := p.kernel.initrd.writeCPIO(&b); err != nil {
		return err
	}
	return os.WriteFile(dst, b.Bytes(), 0o644)
}

func (p plan) writeRoot(ctx context.Context, dir, dst string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o755), p.root.writeTo(dir)); err != nil {
		return err
	}
	return image.Pack(ctx, dir, dst, image.Packing{Compression: image.Dense})
}

func (c Contents) write(name string) error {
	data, err := json.MarshalIndent(c, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
		return err
	}
	_, err = image.Seal(name)
	return err
}

// publish makes a finished folder appear under its final name.
func publish(from, to string) error {
	// The umask may have removed bits of its mode. What is at the final name has no base.json, so it is no base.
	err := errors.Join(os.Chmod(from, 0o711), disk.SyncFolder(from), os.RemoveAll(to))
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(to))
}

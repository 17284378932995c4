package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gitd/internal/builder/filelock"
	"gitd/internal/core"
	"gitd/internal/progress"
)

// baseFormat is part of every base's id: raise it when the way a base is made
// changes and its ingredients do not.
const baseFormat = 2

// basePlan is what goes into a base, as data.
type basePlan struct {
	node   Toolchain
	kernel baseKernel
	root   tree
}

// ensureBase makes or finds the base for node and returns its id. When it
// returns, State.Base(id) is complete and on disk. Finding one takes a few
// milliseconds; several callers at once, in this process or in others, make
// it once.
func (b *Builder) ensureBase(ctx context.Context, node Toolchain, r *progress.Report) (id string, err error) {
	plan, err := b.planBase(ctx, node, r)
	if err != nil {
		return "", fmt.Errorf("plan the NodeOS base: %w", err)
	}
	memo, err := plan.memo(b.cfg.State)
	if err != nil {
		return "", fmt.Errorf("plan the NodeOS base: %w", err)
	}
	if id, err := b.remembered(memo); err != nil || id != "" {
		return id, err
	}
	in, err := plan.ingredients()
	if err != nil {
		return "", fmt.Errorf("read the parts of the NodeOS base: %w", err)
	}
	if id, err = in.id(); err != nil {
		return "", err
	}
	if err := b.makeBase(ctx, id, plan, in, r); err != nil {
		return "", fmt.Errorf("make the NodeOS base: %w", err)
	}
	return id, memo.write(id)
}

func (b *Builder) planBase(ctx context.Context, node Toolchain, r *progress.Report) (basePlan, error) {
	root, err := nodeRoot(node, b.cfg.GuestInit)
	if err != nil {
		return basePlan{}, err
	}
	kernel, err := b.chooseKernel(ctx, r)
	return basePlan{node: node, kernel: kernel, root: root}, err
}

// remembered returns the memo's id if its base is still there.
func (b *Builder) remembered(m memo) (id string, err error) {
	if id, err = m.read(); err != nil || id == "" {
		return "", err
	}
	if ok, err := b.haveBase(id); err != nil || !ok {
		return "", err
	}
	return id, nil
}

// makeBase fills State.Base(id), unless somebody else does it first.
func (b *Builder) makeBase(ctx context.Context, id string, plan basePlan, in ingredients, r *progress.Report) error {
	unlock, err := filelock.Take(ctx, filepath.Join(b.cfg.State.Bases(), ".lock"), func() {
		r.Detail("waiting for another build that prepares a base")
	})
	if err != nil {
		return err
	}
	defer unlock()
	if ok, err := b.haveBase(id); err != nil || ok {
		return err
	}
	r.Step("Preparing the NodeOS base (Node %s, %s)", in.Node, in.Kernel)
	if plan.kernel.why != "" {
		r.Detail("%s", plan.kernel.why)
	}
	tmp, err := os.MkdirTemp(b.cfg.State.Builds(), "base-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "base")
	if err := os.Mkdir(out, 0o711); err != nil {
		return err
	}
	if err := plan.fill(ctx, tmp, out, in, r); err != nil {
		return err
	}
	return publish(out, b.cfg.State.Base(id))
}

// fill writes the files of a base into out; scratch is for what comes before.
func (p basePlan) fill(ctx context.Context, scratch, out string, in ingredients, r *progress.Report) error {
	list := Base{ingredients: in, Images: map[string]core.Layer{}}
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
	r.Detail("packing %s", megabytes(in.size()))
	if err := p.writeRoot(ctx, filepath.Join(scratch, "root"), filepath.Join(out, "root.erofs")); err != nil {
		return err
	}
	for _, name := range names {
		image, err := seal(filepath.Join(out, name))
		if err != nil {
			return err
		}
		list.Images[name] = image
		r.Detail("%-10s %8s", name, megabytes(image.Size))
	}
	return list.write(filepath.Join(out, "base.json"))
}

// writeInitrd leaves the initramfs uncompressed: it has 3 MB, and unpacking
// LZ4 took as long as reading what it saves.
func (p basePlan) writeInitrd(dst string) error {
	var b bytes.Buffer
	if err := p.kernel.initrd.writeCPIO(&b); err != nil {
		return err
	}
	return os.WriteFile(dst, b.Bytes(), 0o644)
}

func (p basePlan) writeRoot(ctx context.Context, dir, dst string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(dir, 0o755), p.root.writeTo(dir)); err != nil {
		return err
	}
	return packEROFS(ctx, dir, dst, packOptions{Compression: dense})
}

func (l Base) write(name string) error {
	data, err := json.MarshalIndent(l, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, append(data, '\n'), 0o644); err != nil {
		return err
	}
	_, err = seal(name)
	return err
}

// publish makes a finished folder appear under its final name.
func publish(from, to string) error {
	// The umask may have narrowed it; whatever is in the way has no
	// base.json, so it is not a base.
	err := errors.Join(os.Chmod(from, 0o711), syncDir(from), os.RemoveAll(to))
	if err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

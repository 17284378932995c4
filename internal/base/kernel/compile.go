package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/units"
)

// work is one compile, in a folder that stays until it is finished.
type work struct {
	recipe   recipe
	config   Config
	dir      string
	progress func(Progress)
	start    time.Time
}

func (w *work) source() string { return filepath.Join(w.dir, "linux") }

// compile makes the kernel and has it appear at to as a whole.
func (w *work) compile(ctx context.Context, to string) error {
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	if err := w.unpack(ctx); err != nil {
		return err
	}
	if err := w.configure(ctx); err != nil {
		return err
	}
	objects, err := w.make(ctx)
	if err != nil {
		return err
	}
	out := filepath.Join(w.dir, "out")
	if err := errors.Join(os.RemoveAll(out), os.Mkdir(out, 0o755)); err != nil {
		return err
	}
	if err := w.collect(ctx, out, objects); err != nil {
		return err
	}
	if err := os.Rename(out, to); err != nil {
		return err
	}
	return os.RemoveAll(w.dir)
}

// needed is the room that a compile takes, in bytes: 1.0 GB were measured.
const needed = 3 << 29

// unpack leaves the source in w.source, which exists when it is complete.
func (w *work) unpack(ctx context.Context) error {
	if _, err := os.Stat(w.source()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := checkRoom(w.dir); err != nil {
		return err
	}
	tmp := filepath.Join(w.dir, "unpack")
	if err := errors.Join(os.RemoveAll(tmp), os.Mkdir(tmp, 0o755)); err != nil {
		return err
	}
	args := []string{"tar", "--extract", "--auto-compress", "--file=" + w.config.Source, "--directory=" + tmp,
		"--strip-components=1", "--no-same-owner"}
	for _, part := range unused() {
		args = append(args, "--exclude=*/"+part)
	}
	if err := w.run(ctx, w.dir, nil, args...); err != nil {
		return err
	}
	return os.Rename(tmp, w.source())
}

// checkRoom refuses to begin a compile that the disk has no room for.
func checkRoom(dir string) error {
	space, err := disk.SpaceOf(dir)
	if err == nil && space.Free < needed {
		err = fmt.Errorf("it needs %s of space and %s has %s: make room there",
			units.Bytes(needed), dir, units.Bytes(space.Free))
	}
	return err
}

// unused are parts of the source that no virtual machine has: more than half
// of it. Kconfig reads all of its files, so those stay.
func unused() []string {
	parts := []string{"Documentation/*.rst", "tools/testing/*", "*.dts", "*.dtsi"}
	for _, dir := range []string{"drivers/gpu", "drivers/media", "drivers/net/ethernet", "drivers/net/wireless",
		"drivers/scsi", "drivers/staging", "drivers/infiniband", "drivers/usb", "drivers/iio", "sound",
		"arch/alpha", "arch/arc", "arch/csky", "arch/hexagon", "arch/ia64", "arch/loongarch", "arch/m68k",
		"arch/microblaze", "arch/mips", "arch/nios2", "arch/openrisc", "arch/parisc", "arch/powerpc", "arch/riscv", "arch/s390", "arch/sh",
		"arch/sparc", "arch/um", "arch/xtensa"} {
		parts = append(parts, dir+"/*.[chS]")
	}
	return parts
}

// configure makes the .config and checks it.
func (w *work) configure(ctx context.Context) error {
	list := filepath.Join(w.dir, "options")
	if err := os.WriteFile(list, []byte(w.recipe.Options), 0o644); err != nil {
		return err
	}
	if err := w.run(ctx, w.source(), nil, "make", "KCONFIG_ALLCONFIG="+list, "allnoconfig"); err != nil {
		return err
	}
	made, err := os.ReadFile(filepath.Join(w.source(), ".config"))
	if err != nil {
		return err
	}
	return checkOptions(w.recipe.Options, string(made))
}

// usualObjects is how many a kernel with these options has.
const usualObjects = 1230

// make compiles, and returns how many objects there are.
func (w *work) make(ctx context.Context) (objects int, err error) {
	before, err := countObjects(w.source())
	if err != nil {
		return 0, err
	}
	count := &counter{done: before, tell: func(done int) {
		total := max(usualObjects, done)
		w.progress(Progress{Resumed: before > 0, Done: done, Total: total, Elapsed: time.Since(w.start)})
	}}
	count.tell(before)
	jobs, target := fmt.Sprintf("--jobs=%d", w.config.Jobs), imageOf(w.config.Arch).target
	if err := w.run(ctx, w.source(), count, "make", jobs, target); err != nil {
		return 0, err
	}
	return countObjects(w.source())
}

// image is what a kernel is on an architecture.
type image struct{ target, file string }

func imageOf(arch string) image {
	if arch == "arm64" {
		return image{"Image", "arch/arm64/boot/Image"}
	}
	return image{"vmlinux", "vmlinux"}
}

// collect puts the files of a finished kernel into out.
func (w *work) collect(ctx context.Context, out string, objects int) error {
	k := Kernel{Digest: w.recipe.digest(), Objects: objects, Compiler: w.recipe.Compiler, Dir: out}
	release, err := os.ReadFile(filepath.Join(w.source(), "include/config/kernel.release"))
	if err != nil {
		return err
	}
	k.Release = strings.TrimSpace(string(release))
	img := filepath.Join(w.source(), imageOf(w.config.Arch).file)
	if w.config.Arch == "amd64" { // an ELF file
		err = w.run(ctx, w.dir, nil, w.config.cross()+"strip", "--strip-all", "-o", k.Image(), img)
	} else {
		err = copyFile(img, k.Image())
	}
	if err != nil {
		return err
	}
	if err := errors.Join(copyFile(filepath.Join(w.source(), ".config"), k.Options()),
		copyFile(filepath.Join(w.source(), "System.map"), k.Symbols())); err != nil {
		return err
	}
	if k.SHA256, k.Size, err = digestFile(k.Image()); err != nil {
		return err
	}
	b, err := json.MarshalIndent(k, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "kernel.json"), append(b, '\n'), 0o644); err != nil {
		return err
	}
	return syncAll(out)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func digestFile(name string) (sum string, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// syncAll makes the files of dir, which were just written, readable for QEMU
// and durable.
func syncAll(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(os.Chmod(name, 0o644), f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return os.Chmod(dir, 0o755)
}

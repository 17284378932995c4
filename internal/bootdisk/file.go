package bootdisk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// The forms of a disk.
const (
	Raw   = "raw"
	QCOW2 = "qcow2" // compressed
)

// FormatOf is the form that a file's name asks for.
func FormatOf(name string) string {
	if strings.EqualFold(filepath.Ext(name), "."+QCOW2) {
		return QCOW2
	}
	return Raw
}

// CheckFormat reports why there are no disks of the form format, or nil.
func CheckFormat(format string) error {
	if format != Raw && format != QCOW2 {
		return fmt.Errorf("format %q: use %s or %s", progress.Shorten(format), Raw, QCOW2)
	}
	return nil
}

// CheckConverter reports why this host cannot make a disk of the form format, or nil.
func CheckConverter(format string) error {
	if format != QCOW2 {
		return nil
	}
	if _, err := exec.LookPath("qemu-img"); err != nil {
		return core.Reject("qemu-img, which makes qcow2, is not installed",
			"`apt install qemu-utils` on that host, or take --format raw")
	}
	return nil
}

// Create writes the disk to a file, which appears as a whole.
func (d *Disk) Create(ctx context.Context, path, format string) ([]Part, error) {
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".gitd-disk-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	made, parts, err := d.makeFile(ctx, tmp, format)
	if err != nil {
		return nil, err
	}
	return parts, errors.Join(os.Rename(made, path), disk.SyncFolder(filepath.Dir(path)))
}

// Send writes the disk to w. A form that cannot be written from its first byte to its last is made in the folder tmp.
func (d *Disk) Send(ctx context.Context, w io.Writer, format, tmp string) ([]Part, error) {
	if format == Raw {
		return d.Write(ctx, w)
	}
	dir, err := os.MkdirTemp(tmp, "disk-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	made, parts, err := d.makeFile(ctx, dir, format)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(made)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return parts, err
}

// makeFile makes a file of the disk in dir.
func (d *Disk) makeFile(ctx context.Context, dir, format string) (file string, parts []Part, err error) {
	raw := filepath.Join(dir, "disk.raw")
	f, err := os.OpenFile(raw, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", nil, err
	}
	parts, err = d.Write(ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil || format == Raw {
		return raw, parts, err
	}
	packed := filepath.Join(dir, "disk."+format)
	return packed, parts, convert(ctx, raw, packed, format)
}

// convert packs a raw disk. One thread writes in order, so that the same disk gives the same bytes.
func convert(ctx context.Context, from, to, format string) error {
	cmd := exec.CommandContext(ctx, "qemu-img", "convert", "-c", "-m", "1", "-f", Raw, "-O", format, from, to)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		err = fmt.Errorf("qemu-img: %w: %s", err, progress.LastLine(said.Bytes()))
		return errors.Join(ctx.Err(), disk.Explain(err, said.String()))
	}
	return nil
}

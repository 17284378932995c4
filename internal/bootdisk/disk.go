package bootdisk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Disk is a disk that can be written. Its files are open until Close, so that it stays whole whatever is removed.
type Disk struct {
	parts []part
	table table
	id    string
}

// part is what one partition holds.
type part struct {
	name   string
	size   int64  // bytes
	digest string // hex SHA-256; "": not known before
	from   io.ReaderAt
	close  func() error
}

func (p Part) String() string {
	return fmt.Sprintf("%-7s %10s  %.12s", p.Name, units.Bytes(p.Size), p.Digest)
}

// Part describes a part of a disk for people and programs.
type Part struct {
	Name   string `json:"name"`
	Digest string `json:"digest"` // SHA-256 of its bytes
	Size   int64  `json:"size"`   // bytes
	Offset int64  `json:"offset"` // of its first byte on the disk
}

// Make puts together the disk of an image: the manifest's files are in state, and start tells init what to do.
func Make(state core.StateDir, m core.Manifest, start guest.Start) (*Disk, error) {
	d := &Disk{}
	if err := d.make(state, m, start); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Disk) make(state core.StateDir, m core.Manifest, start guest.Start) error {
	message, err := guest.Encode(guest.Message{Kind: guest.KindStart, Start: &start})
	if err != nil {
		return fmt.Errorf("what starts the app is too long for a disk: %w", err)
	}
	contents, err := base.Read(state, m.Base)
	if err != nil {
		return err
	}
	d.id = identity(m, message)
	d.parts = []part{{name: loaderName, size: loaderSize}}
	kernel, err := d.file("kernel", state.Kernel(m.Base), contents.Images["kernel"])
	if err != nil {
		return err
	}
	b := boot{}
	if b.kernel, err = openKernel(kernel); err != nil {
		return fmt.Errorf("base %s %w", m.Base, err)
	}
	if initrd, ok := contents.Images["initrd"]; ok {
		b.initrdSize = initrd.Size
		f, err := d.file("initrd", state.Initrd(m.Base), initrd)
		if err == nil {
			err = mustHave(f, guest.DiskVariable)
		}
		if err != nil {
			return err
		}
	}
	d.bytes(guest.DiskStart, message)
	if err := d.layers(state, m, contents); err != nil {
		return err
	}
	d.place()
	b.kernelAt, b.initrdAt = d.partition("kernel").first, d.partition("initrd").first
	b.commandLine = d.commandLine(b.initrdSize > 0)
	loader, err := b.partition()
	d.parts[0].from = bytes.NewReader(loader)
	return err
}

// openKernel reads a kernel, and checks that it can find the parts of a disk.
func openKernel(f *os.File) (program, error) {
	if err := mustHave(f, tableMagic); err != nil {
		return program{}, err
	}
	return readKernel(f)
}

// mustHave looks for a text that is in a kernel that knows partitions, or in an init that knows disks.
func mustHave(f *os.File, text string) error {
	all, err := io.ReadAll(io.NewSectionReader(f, 0, maxAddress))
	if err == nil && !bytes.Contains(all, []byte(text)) {
		err = ErrOldBase
	}
	return err
}

// ErrOldBase says that a base was made by an older gitd.
var ErrOldBase = errors.New("was made by an older gitd and cannot boot by itself")

// loaderName is the name of the loader's part.
const loaderName = "loader"

// layers opens the file systems of the image.
func (d *Disk) layers(state core.StateDir, m core.Manifest, contents base.Contents) error {
	if _, err := d.file(guest.DiskBase, state.Root(m.Base), contents.Images["root.erofs"]); err != nil {
		return err
	}
	for _, l := range []struct {
		name string
		core.Layer
	}{{guest.DiskDebian, m.Debian}, {guest.DiskDeps, m.Deps}, {guest.DiskApp, m.App}} {
		if l.Digest == "" {
			continue
		}
		if _, err := d.file(l.name, state.Layer(l.Digest), l.Layer); err != nil {
			return err
		}
	}
	return nil
}

// identity is the same for every disk with the same parts, and for no other.
func identity(m core.Manifest, start []byte) string {
	h := sha256.New()
	fmt.Fprintln(h, "nodeos disk 1", m.Base, m.App.Digest, m.Deps.Digest, m.Debian.Digest)
	h.Write(start)
	h.Write(mbrCode)
	h.Write(loaderCode)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (d *Disk) file(name, path string, l core.Layer) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	d.parts = append(d.parts, part{name: name, size: l.Size, digest: l.Digest, from: f, close: f.Close})
	info, err := f.Stat()
	if err == nil && info.Size() != l.Size {
		err = fmt.Errorf("%s has %d bytes instead of %d", path, info.Size(), l.Size)
	}
	return f, err
}

func (d *Disk) bytes(name string, b []byte) {
	d.parts = append(d.parts, part{name: name, size: int64(len(b)), from: bytes.NewReader(b)})
}

// place gives each part its place.
func (d *Disk) place() {
	d.table.disk = guidOf("disk " + d.id)
	at := int64(alignment)
	for _, p := range d.parts {
		kind := linuxData
		if p.name == loaderName {
			kind = biosBoot
		}
		name := guest.PartitionName(p.name, d.id)
		size := sectors(p.size)
		d.table.parts = append(d.table.parts, partition{
			name: name, kind: kind, id: guidOf("partition " + name), first: at, last: at + size - 1,
		})
		at = aligned(at + size)
	}
	d.table.sectors = aligned(at + tailSize)
}

// aligned is the next sector where a partition can begin.
func aligned(sector int64) int64 { return (sector + alignment - 1) / alignment * alignment }

// partition is that of the part called name; the zero value: there is none.
func (d *Disk) partition(name string) partition {
	for i, p := range d.parts {
		if p.name == name {
			return d.table.parts[i]
		}
	}
	return partition{}
}

// commandLine is that of the kernel. What the kernel does not know, and that has no dot, init finds in its environment.
func (d *Disk) commandLine(stock bool) string {
	// no_timer_check: see docs/decisions/0052-kernel-command-line.md. A machine whose kernel has failed begins again.
	words := []string{"console=ttyS0", "quiet", "panic=5", "no_timer_check", guest.DiskVariable + "=" + d.id}
	if stock {
		words = append(words, "cryptomgr.notests")
	} else {
		words = append(words, "root=PARTUUID="+d.partition(guest.DiskBase).id.String(), "rootfstype=erofs", "ro", "rootwait")
	}
	return strings.Join(words, " ")
}

// Size is that of the disk, in bytes.
func (d *Disk) Size() int64 { return d.table.sectors * sectorSize }

// Write writes the disk to w from its first byte to its last, and returns what its parts are. A part that is not what
// it should be is an error.
func (d *Disk) Write(ctx context.Context, w io.Writer) ([]Part, error) {
	out := &counted{ctx: ctx, w: w}
	if _, err := out.Write(d.table.head(mbrCode)); err != nil {
		return nil, err
	}
	var all []Part
	for i, p := range d.parts {
		if err := out.fill(d.table.parts[i].first * sectorSize); err != nil {
			return nil, err
		}
		h := sha256.New()
		offset := out.n
		if _, err := io.Copy(io.MultiWriter(out, h), io.NewSectionReader(p.from, 0, p.size)); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		digest := hex.EncodeToString(h.Sum(nil))
		if out.n != offset+p.size || p.digest != "" && digest != p.digest {
			return nil, fmt.Errorf("%s is damaged: its digest is %.12s, and must be %.12s", p.name, digest, p.digest)
		}
		all = append(all, Part{Name: p.name, Digest: digest, Size: p.size, Offset: offset})
	}
	if err := out.fill(d.Size() - tailSize*sectorSize); err != nil {
		return nil, err
	}
	_, err := out.Write(d.table.tail())
	return all, err
}

// Close closes the files of the disk.
func (d *Disk) Close() error {
	var errs []error
	for _, p := range d.parts {
		if p.close != nil {
			errs = append(errs, p.close())
		}
	}
	return errors.Join(errs...)
}

// counted counts what is written, until ctx ends.
type counted struct {
	ctx context.Context // of one call of Disk.Write
	w   io.Writer
	n   int64
}

func (c *counted) Write(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// fill writes zeros up to the offset end.
func (c *counted) fill(end int64) error {
	zeros := make([]byte, 64<<10)
	for c.n < end {
		if _, err := c.Write(zeros[:min(int64(len(zeros)), end-c.n)]); err != nil {
			return err
		}
	}
	return nil
}

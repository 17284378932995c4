package base

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pierrec/lz4/v4"
)

// stockKernel is the folder that scripts/setup fills.
type stockKernel struct {
	dir     string
	version string // of the Debian package, e.g. "6.1.192-2"
}

// image is the kernel as Debian ships it.
func (k stockKernel) image() string { return filepath.Join(k.dir, "vmlinuz") }

// modules is a folder with kernel/… and modules.builtin.
func (k stockKernel) modules() string { return filepath.Join(k.dir, "modules") }

func openStockKernel(dir string) (stockKernel, error) {
	v, err := os.ReadFile(filepath.Join(dir, "version"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stockKernel{}, fmt.Errorf("no kernel in %s: run scripts/setup, which fetches Debian's cloud kernel", dir)
	case err != nil:
		return stockKernel{}, fmt.Errorf("read stock kernel: %w", err)
	}
	return stockKernel{dir, strings.TrimSpace(string(v))}, nil
}

// maxKernel bounds a decompressed kernel, in bytes. Debian's has 53 MB.
const maxKernel = 256 << 20

// bootable returns the form of a kernel that boots quickest: the ELF file
// within a bzImage, which QEMU enters directly (PVH). An image without one is
// returned as it is; QEMU boots it too.
func bootable(image []byte) []byte {
	payload, err := bzImagePayload(image)
	if err != nil {
		return image
	}
	vmlinux, err := decompress(payload)
	if err != nil || !hasPVHEntry(vmlinux) {
		return image
	}
	return vmlinux
}

var errNoPayload = errors.New("not a bzImage with a payload")

// bzImagePayload returns the compressed kernel within a bzImage: see
// Documentation/x86/boot.rst in the kernel's source, payload_offset.
func bzImagePayload(b []byte) ([]byte, error) {
	const (
		setupSects    = 0x1f1
		magic         = 0x202
		version       = 0x206
		payloadOffset = 0x248
		headerEnd     = 0x250
	)
	if len(b) < headerEnd || string(b[magic:magic+4]) != "HdrS" || binary.LittleEndian.Uint16(b[version:]) < 0x208 {
		return nil, errNoPayload
	}
	start := (uint64(b[setupSects]) + 1) * 512
	start += uint64(binary.LittleEndian.Uint32(b[payloadOffset:]))
	end := start + uint64(binary.LittleEndian.Uint32(b[payloadOffset+4:]))
	// The last four bytes are the size that the kernel's build appends.
	if end > uint64(len(b)) || end < start+8 {
		return nil, errNoPayload
	}
	return b[start : end-4], nil
}

// decompress unpacks LZ4, the compression of Debian's cloud kernel since
// 6.1. A kernel compressed otherwise boots as a bzImage, 0.4 s slower.
func decompress(payload []byte) ([]byte, error) {
	if !bytes.HasPrefix(payload, []byte{0x02, 0x21, 0x4c, 0x18}) {
		return nil, fmt.Errorf("%w of LZ4", errNoPayload)
	}
	out, err := io.ReadAll(io.LimitReader(lz4.NewReader(bytes.NewReader(payload)), maxKernel+1))
	if err != nil {
		return nil, fmt.Errorf("decompress kernel: %w", err)
	}
	if len(out) > maxKernel {
		return nil, fmt.Errorf("decompress kernel: more than %d bytes", maxKernel)
	}
	return out, nil
}

// hasPVHEntry reports whether vmlinux has the note by which QEMU enters it
// without firmware: XEN_ELFNOTE_PHYS32_ENTRY.
func hasPVHEntry(vmlinux []byte) bool {
	f, err := elf.NewFile(bytes.NewReader(vmlinux))
	if err != nil {
		return false
	}
	for _, p := range f.Progs {
		if p.Type != elf.PT_NOTE || p.Filesz > 1<<20 {
			continue
		}
		notes := make([]byte, p.Filesz)
		if _, err := p.ReadAt(notes, 0); err == nil && findNote(notes, f.ByteOrder, "Xen\x00", 18) {
			return true
		}
	}
	return false
}

func findNote(notes []byte, order binary.ByteOrder, name string, kind uint32) bool {
	const header = 12
	align := func(n uint64) uint64 { return (n + 3) &^ 3 }
	for uint64(len(notes)) >= header {
		nameLen, descLen := uint64(order.Uint32(notes)), uint64(order.Uint32(notes[4:]))
		size := header + align(nameLen) + align(descLen)
		if size > uint64(len(notes)) {
			return false
		}
		if order.Uint32(notes[8:]) == kind && string(notes[header:header+nameLen]) == name {
			return true
		}
		notes = notes[size:]
	}
	return false
}

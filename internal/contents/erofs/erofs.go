// Package erofs reads EROFS file systems without mounting them.
//
// It owns the format, as far as mkfs.erofs writes it for gitd: blocks of 4 KiB, plain and inline data, LZ4 with compact
// indexes. What else there is in a file system is an error. It does not own what the files mean. Every byte is read as
// a hostile one: the answer may be an error, and the memory that it takes is bounded.
package erofs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Numbers of the format: fs/erofs/erofs_fs.h in the kernel's source.
const (
	superOffset = 1024
	superSize   = 128
	magic       = 0xe0f5e1e2
	blockBits   = 12
	blockSize   = 1 << blockBits
	slot        = 32 // bytes of the unit in which inodes are counted
	compactSize = 32
	extendSize  = 64

	flatPlain  = 0
	flatInline = 2
	compressed = 3 // with compact indexes
)

// Features that change how data is found, of those that mkfs.erofs may set.
const (
	featureLZ4Margin  = 0x1
	featureBigCluster = 0x2
)

// ErrDamaged says that bytes are not what the format allows.
var ErrDamaged = errors.New("damaged EROFS")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// FS is one file system. It is safe for concurrent use if its reader is.
type FS struct {
	r    io.ReaderAt
	size int64
	meta int64  // where inodes are counted from, in bytes
	root uint64 // nid of the root folder
}

// Open reads the superblock of the file system in r, which has size bytes.
func Open(r io.ReaderAt, size int64) (*FS, error) {
	f := &FS{r: r, size: size}
	b, err := f.at(superOffset, superSize)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	if le.Uint32(b) != magic {
		return nil, damaged("no superblock")
	}
	if b[12] != blockBits {
		return nil, damaged("blocks of 2^%d bytes", b[12])
	}
	if more := le.Uint32(b[80:]) &^ (featureLZ4Margin | featureBigCluster); more != 0 {
		return nil, fmt.Errorf("EROFS with features %#x, which are not known", more)
	}
	f.root = uint64(le.Uint16(b[14:]))
	f.meta = int64(le.Uint32(b[40:])) << blockBits
	return f, nil
}

// at returns n bytes at off.
func (f *FS) at(off int64, n int) ([]byte, error) {
	if off < 0 || n < 0 || off > f.size-int64(n) {
		return nil, damaged("%d bytes at %d are beyond its end", n, off)
	}
	b := make([]byte, n)
	if _, err := f.r.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b, nil
}

// section is the n bytes at off.
func (f *FS) section(off, n int64) (io.Reader, error) {
	if off < 0 || n < 0 || n > f.size || off > f.size-n {
		return nil, damaged("%d bytes at %d are beyond its end", n, off)
	}
	return io.NewSectionReader(f.r, off, n), nil
}

// inode is what the file system says of one file.
type inode struct {
	mode   uint16 // as in stat(2)
	size   int64
	layout uint16
	block  uint32 // where plain data begins
	end    int64  // where the inode and its extended attributes end
}

func (f *FS) inode(nid uint64) (in inode, err error) {
	if nid > uint64(f.size)/slot {
		return in, damaged("inode %d is beyond its end", nid)
	}
	pos := f.meta + int64(nid)*slot
	b, err := f.at(pos, compactSize)
	if err != nil {
		return in, err
	}
	le := binary.LittleEndian
	format := le.Uint16(b)
	in.layout, in.mode, in.block = format>>1&7, le.Uint16(b[4:]), le.Uint32(b[16:])
	in.size, in.end = int64(le.Uint32(b[8:])), pos+compactSize
	if format&1 != 0 {
		in.size, in.end = int64(le.Uint64(b[8:])), pos+extendSize
	}
	if n := le.Uint16(b[2:]); n > 0 {
		in.end += 12 + 4*int64(n-1)
	}
	if in.size < 0 {
		return in, damaged("a size of %d bytes", in.size)
	}
	return in, nil
}

// data reads what an inode holds, from its beginning to its end.
func (f *FS) data(in inode) (io.Reader, error) {
	switch in.layout {
	case flatPlain:
		return f.section(int64(in.block)<<blockBits, in.size)
	case flatInline:
		tail := in.size % blockSize
		last, err := f.section(in.end, tail)
		if err != nil || in.size == tail {
			return last, err
		}
		first, err := f.section(int64(in.block)<<blockBits, in.size-tail)
		return io.MultiReader(first, last), err
	case compressed:
		return f.unpack(in)
	}
	return nil, fmt.Errorf("EROFS with data in the form %d, which is not known", in.layout)
}

// fileMode is a mode of stat(2) as Go has it.
func fileMode(m uint16) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & 0o170000 {
	case 0o040000:
		mode |= fs.ModeDir
	case 0o120000:
		mode |= fs.ModeSymlink
	case 0o100000:
	default:
		mode |= fs.ModeIrregular
	}
	for bit, is := range map[uint16]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&bit != 0 {
			mode |= is
		}
	}
	return mode
}

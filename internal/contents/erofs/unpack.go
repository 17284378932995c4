package erofs

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/pierrec/lz4/v4"
)

// What a compressed file says of itself, and the kinds of its logical clusters.
const (
	adviseShort      = 0x1  // most indexes have two bytes
	adviseBig        = 0x6  // a pack may have more than one block
	adviseInterlaced = 0x10 // unpacked blocks are where they would be without packing

	plain   = 0
	head1   = 1
	inside  = 2 // of an extent that began before
	head2   = 3
	isCount = 1 << 11 // an index that is inside says how many blocks the pack has
)

// Limits of one extent: what mkfs.erofs packs at once. LZ4 makes at most 255 bytes of one.
const (
	maxPack   = 1 << 20
	maxExtent = 8 << 20
	maxFile   = 16 << 30 // its indexes have 16 MiB
)

// unpacker reads a compressed file: extents, one after the other, each of which is a pack of blocks.
type unpacker struct {
	fs         *FS
	size       int64
	indexes    indexes
	algorithms byte
	interlaced bool

	lcn  int // of the head that comes next
	have []byte
	out  []byte
	pack []byte
}

func (f *FS) unpack(in inode) (io.Reader, error) {
	if in.size == 0 {
		return bytes.NewReader(nil), nil
	}
	header := (in.end + 7) &^ 7
	h, err := f.at(header, 8)
	if err != nil {
		return nil, err
	}
	advise := binary.LittleEndian.Uint16(h[4:])
	if more := advise &^ (adviseShort | adviseBig | adviseInterlaced); more != 0 || h[7] != 0 {
		return nil, damaged("compression of the form %#x with clusters %#x, which is not known", more, h[7])
	}
	u := &unpacker{fs: f, size: in.size, algorithms: h[6], interlaced: advise&adviseInterlaced != 0}
	u.indexes, err = f.indexes(header+8, in.size, advise)
	return u, err
}

// Read is io.Reader.
func (u *unpacker) Read(p []byte) (int, error) {
	for len(u.have) == 0 {
		if err := u.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, u.have)
	u.have = u.have[n:]
	return n, nil
}

// next unpacks the next extent.
func (u *unpacker) next() error {
	if u.lcn >= u.indexes.count {
		return io.EOF
	}
	h, err := u.indexes.at(u.lcn)
	if err != nil {
		return err
	}
	if h.kind == inside {
		return damaged("an extent without a beginning")
	}
	from, to, blocks, err := u.extent(h)
	if err != nil {
		return err
	}
	if from == u.size { // the last index may say no more than where the file ends
		return io.EOF
	}
	n := min(to, u.size) - from
	if n <= 0 || n > maxExtent || blocks <= 0 || blocks > maxPack/blockSize {
		return damaged("an extent of %d bytes in %d blocks", n, blocks)
	}
	r, err := u.fs.section(int64(h.block)<<blockBits, int64(blocks)<<blockBits)
	if err != nil {
		return err
	}
	u.pack = grow(u.pack, blocks*blockSize)
	if _, err := io.ReadFull(r, u.pack); err != nil {
		return err
	}
	u.out = grow(u.out, int(n))
	u.have = u.out
	if h.kind == plain {
		return u.copyPlain(from)
	}
	return u.decompress(h.kind)
}

// extent says from where to where in the file the extent of h goes, and how many blocks it has, and moves on to the
// next head.
func (u *unpacker) extent(h index) (from, to int64, blocks int, err error) {
	from, blocks = int64(u.lcn)<<blockBits+int64(h.offset), 1
	first := u.lcn + 1
	for u.lcn = first; u.lcn < u.indexes.count; u.lcn++ {
		i, err := u.indexes.at(u.lcn)
		if err != nil {
			return 0, 0, 0, err
		}
		if i.kind != inside {
			return from, int64(u.lcn)<<blockBits + int64(i.offset), blocks, nil
		}
		if u.lcn == first && i.count > 0 {
			blocks = i.count
		}
	}
	return from, u.size, blocks, nil
}

func (u *unpacker) copyPlain(from int64) error {
	if len(u.out) > len(u.pack) {
		return damaged("%d bytes in %d", len(u.out), len(u.pack))
	}
	if !u.interlaced {
		copy(u.out, u.pack)
		return nil
	}
	n := copy(u.out, u.pack[from%blockSize:])
	copy(u.out[n:], u.pack)
	return nil
}

// decompress skips the margin of zeros before the data: mkfs.erofs puts data at the end of its blocks.
func (u *unpacker) decompress(kind int) error {
	algorithm := u.algorithms & 15
	if kind == head2 {
		algorithm = u.algorithms >> 4
	}
	if algorithm != 0 {
		return damaged("compression by algorithm %d, which is not known", algorithm)
	}
	packed := bytes.TrimLeft(u.pack, "\x00")
	n, err := lz4.UncompressBlock(packed, u.out)
	if err != nil || n != len(u.out) {
		return damaged("%d of %d bytes unpacked: %v", n, len(u.out), err)
	}
	return nil
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

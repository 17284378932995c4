package bootdisk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"
)

// The form of a GUID partition table: see chapter 5 of the UEFI specification.
const (
	sectorSize  = 512
	alignment   = 2048 // sectors before the first partition, and what each begins at a multiple of
	entrySize   = 128  // bytes
	entryCount  = 128
	tableSize   = entrySize * entryCount / sectorSize // sectors
	headerSize  = 92
	headAt      = 1             // the sector of the first header; its table follows
	tailSize    = tableSize + 1 // sectors of the second table and the second header, at the disk's end
	firstUsable = headAt + 1 + tableSize
	maxName     = 36 // UTF-16 units

	// tableMagic begins a header. A kernel that knows such tables has it among its instructions.
	tableMagic = "EFI PART"
)

// guid is a GUID in the order in which it is printed.
type guid [16]byte

// Types of partitions.
var (
	biosBoot  = guid{0x21, 0x68, 0x61, 0x48, 0x64, 0x49, 0x6e, 0x6f, 0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49}
	linuxData = guid{0x0f, 0xc6, 0x3d, 0xaf, 0x84, 0x83, 0x47, 0x72, 0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4}
)

// readOnly is the attribute of a partition that is never written to.
const readOnly = 1 << 60

// guidOf is a GUID that depends on text alone.
func guidOf(text string) (g guid) {
	sum := sha256.Sum256([]byte(text))
	copy(g[:], sum[:])
	g[6] = g[6]&0x0f | 0x80 // version 8: the maker's own way
	g[8] = g[8]&0x3f | 0x80
	return g
}

func (g guid) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:])
}

// onDisk is the GUID as it is stored: its first three parts have the smallest byte first.
func (g guid) onDisk() []byte {
	return []byte{g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]}
}

// partition is an entry of the table.
type partition struct {
	name        string
	kind, id    guid
	first, last int64 // sectors
}

// table is the partitions of a disk.
type table struct {
	disk    guid
	sectors int64 // of the whole disk
	parts   []partition
}

// head is what stands before the first partition: the boot code, the table's header and the table.
func (t table) head(code []byte) []byte {
	b := make([]byte, alignment*sectorSize)
	copy(b, code)
	t.protect(b[:sectorSize])
	entries := t.entries()
	copy(b[headAt*sectorSize:], t.header(entries, headAt, t.sectors-1, headAt+1))
	copy(b[(headAt+1)*sectorSize:], entries)
	return b
}

// tail is what stands after the last partition: the table again, and its header.
func (t table) tail() []byte {
	entries := t.entries()
	header := t.header(entries, t.sectors-1, headAt, t.sectors-tailSize)
	return append(entries, header...)
}

// protect writes the old kind of table, which says that the disk is in use, and the mark of a sector that boots.
func (t table) protect(mbr []byte) {
	const at = 446
	copy(mbr[at:], []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	binary.LittleEndian.PutUint32(mbr[at+8:], headAt)
	binary.LittleEndian.PutUint32(mbr[at+12:], uint32(min(t.sectors-1, 1<<32-1)))
	mbr[510], mbr[511] = 0x55, 0xaa
}

func (t table) entries() []byte {
	b := make([]byte, 0, entrySize*entryCount)
	for _, p := range t.parts {
		b = append(b, p.kind.onDisk()...)
		b = append(b, p.id.onDisk()...)
		b = binary.LittleEndian.AppendUint64(b, uint64(p.first))
		b = binary.LittleEndian.AppendUint64(b, uint64(p.last))
		b = binary.LittleEndian.AppendUint64(b, readOnly)
		name := make([]byte, 2*maxName)
		for i, u := range utf16.Encode([]rune(p.name)) {
			binary.LittleEndian.PutUint16(name[2*i:], u)
		}
		b = append(b, name...)
	}
	return b[:cap(b)]
}

// header is one of the two headers: at is its sector, other that of the other one, and entriesAt that of its table.
func (t table) header(entries []byte, at, other, entriesAt int64) []byte {
	var b bytes.Buffer
	b.WriteString(tableMagic)
	for _, v := range []any{
		uint32(0x10000), uint32(headerSize), uint32(0), uint32(0), // version, size, checksum, reserved
		at, other, int64(firstUsable), t.sectors - tailSize - 1, t.disk.onDisk(),
		entriesAt, uint32(entryCount), uint32(entrySize), crc32.ChecksumIEEE(entries),
	} {
		binary.Write(&b, binary.LittleEndian, v) //nolint:errcheck // a buffer takes all, and the values have fixed sizes
	}
	sector := make([]byte, sectorSize)
	copy(sector, b.Bytes())
	binary.LittleEndian.PutUint32(sector[16:], crc32.ChecksumIEEE(sector[:headerSize]))
	return sector
}

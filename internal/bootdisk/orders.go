package bootdisk

import (
	"bytes"
	"debug/elf"
	_ "embed" // the loader
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The loader, as loader/build assembles it.
var (
	//go:embed loader/mbr.bin
	mbrCode []byte
	//go:embed loader/loader.bin
	loaderCode []byte
)

// What the loader expects of its place on the disk and in memory: see loader/loader.s.
const (
	maxMBR     = 440
	ordersAt   = 0x1000 // in the loader's partition
	loaderSize = 0x2000 // of that partition, in bytes
	ordersBase = 0x9000 // where ordersAt is in memory
	mapAt      = 0x3000 // the memory map
	maxLine    = 2047   // of the kernel's command line
	maxAddress = 1 << 32
)

// read is an order to the loader: take so many sectors from the disk to an address.
type read struct{ sector, sectors, address uint32 }

// area is memory that the loader clears.
type area struct{ address, size uint32 }

// program is a kernel, as the loader needs to know it.
type program struct {
	entry  uint32
	end    uint32 // of its memory
	reads  []read // their sectors count from the kernel's first
	clears []area
}

// errNotBootable says that the loader cannot start this kernel.
var errNotBootable = errors.New("has a kernel that the loader cannot start")

// readKernel finds in an ELF file what must be where in memory, and where the kernel is entered without firmware.
func readKernel(f io.ReaderAt) (program, error) {
	file, err := elf.NewFile(f)
	if err != nil {
		return program{}, fmt.Errorf("%w: %w", errNotBootable, err)
	}
	p := program{}
	for _, s := range file.Progs {
		switch s.Type {
		case elf.PT_LOAD:
			if err := p.segment(s); err != nil {
				return program{}, err
			}
		case elf.PT_NOTE:
			if err := p.note(s, file.ByteOrder); err != nil {
				return program{}, err
			}
		}
	}
	if p.entry == 0 || len(p.reads) == 0 {
		return program{}, fmt.Errorf("%w: it has no PVH entry", errNotBootable)
	}
	return p, nil
}

func (p *program) segment(s *elf.Prog) error {
	if s.Off%sectorSize != 0 || s.Filesz > s.Memsz || s.Paddr < 1<<20 || s.Paddr%sectorSize != 0 ||
		s.Memsz > maxAddress || s.Paddr > maxAddress-s.Memsz-sectorSize || s.Off > maxAddress {
		return fmt.Errorf("%w: a segment of %d bytes for %#x", errNotBootable, s.Memsz, s.Paddr)
	}
	p.reads = append(p.reads, read{uint32(s.Off / sectorSize), uint32(sectors(int64(s.Filesz))), uint32(s.Paddr)})
	if s.Memsz > s.Filesz {
		p.clears = append(p.clears, area{uint32(s.Paddr + s.Filesz), uint32(s.Memsz - s.Filesz)})
	}
	p.end = max(p.end, uint32(s.Paddr+s.Memsz))
	return nil
}

// note looks in the notes of s for XEN_ELFNOTE_PHYS32_ENTRY.
func (p *program) note(s *elf.Prog, order binary.ByteOrder) error {
	const header, kind, name = 12, 18, "Xen\x00"
	if s.Filesz > 1<<20 {
		return fmt.Errorf("%w: its notes have %d bytes", errNotBootable, s.Filesz)
	}
	notes := make([]byte, s.Filesz)
	if _, err := s.ReadAt(notes, 0); err != nil {
		return err
	}
	align := func(n uint32) uint64 { return (uint64(n) + 3) &^ 3 }
	for len(notes) >= header {
		nameEnd := header + align(order.Uint32(notes))
		end := nameEnd + align(order.Uint32(notes[4:]))
		if end > uint64(len(notes)) {
			return nil
		}
		if order.Uint32(notes[8:]) == kind && bytes.HasPrefix(notes[header:nameEnd], []byte(name)) && end-nameEnd >= 4 {
			p.entry = order.Uint32(notes[nameEnd:])
		}
		notes = notes[end:]
	}
	return nil
}

// boot is what the loader does on one disk.
type boot struct {
	kernel      program
	kernelAt    int64 // sector
	initrdAt    int64 // sector
	initrdSize  int64 // bytes; 0: none
	commandLine string
}

// initrdGap keeps the initramfs away from the kernel, in bytes.
const initrdGap = 2 << 20

// initrd is the address of the initramfs.
func (b boot) initrd() uint32 { return (b.kernel.end + initrdGap - 1) / initrdGap * initrdGap }

// partition is the loader's whole partition: its code, and its orders.
func (b boot) partition() ([]byte, error) {
	orders, err := b.orders()
	if err != nil {
		return nil, err
	}
	all := make([]byte, loaderSize)
	if n := copy(all[:ordersAt], loaderCode); n < len(loaderCode) {
		return nil, errors.New("the loader is too long")
	}
	if n := copy(all[ordersAt:], orders); n < len(orders) {
		return nil, fmt.Errorf("%w: it has too many segments", errNotBootable)
	}
	return all, nil
}

// orders is what the loader reads at ordersBase: its lists, and what the kernel is handed, a hvm_start_info with what
// that points to.
func (b boot) orders() ([]byte, error) {
	if len(b.commandLine) > maxLine {
		return nil, fmt.Errorf("the kernel's command line has %d bytes; %d are the most", len(b.commandLine), maxLine)
	}
	var reads []read
	for _, r := range b.kernel.reads {
		reads = append(reads, read{r.sector + uint32(b.kernelAt), r.sectors, r.address})
	}
	end, modules := b.kernel.end, uint32(0)
	if b.initrdSize > 0 {
		reads = append(reads, read{uint32(b.initrdAt), uint32(sectors(b.initrdSize)), b.initrd()})
		end, modules = b.initrd()+uint32(sectors(b.initrdSize)*sectorSize), 1
	}
	const headSize, readSize, areaSize, infoSize, moduleSize = 16, 12, 8, 56, 32
	info := (headSize + readSize*len(reads) + areaSize*len(b.kernel.clears) + 7) &^ 7
	module, line := ordersBase+info+infoSize, ordersBase+info+infoSize+moduleSize
	var o bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			binary.Write(&o, binary.LittleEndian, v) //nolint:errcheck // a buffer takes all, and the values have fixed sizes
		}
	}
	put(b.kernel.entry, end, uint32(ordersBase+info), uint16(len(reads)), uint16(len(b.kernel.clears)))
	put(reads, b.kernel.clears)
	put(make([]byte, info-o.Len()))
	// Magic number, version, flags, modules; their list, command line, RSDP (0: the kernel looks for it), memory map,
	// and its entries, which the loader fills in.
	put(uint32(0x336ec578), uint32(1), uint32(0), modules)
	put(uint64(module), uint64(line), uint64(0), uint64(mapAt), uint32(0), uint32(0))
	put(uint64(b.initrd()), uint64(b.initrdSize), uint64(0), uint64(0))
	put([]byte(b.commandLine), byte(0))
	return o.Bytes(), nil
}

// sectors is how many hold so many bytes.
func sectors(size int64) int64 { return (size + sectorSize - 1) / sectorSize }

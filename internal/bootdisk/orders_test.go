package bootdisk

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// segment is a part of a kernel that a test makes.
type segment struct {
	kind               elf.ProgType
	off, paddr, inFile uint64
	inMemory           uint64
}

// note is the text of the note by which a kernel is entered at address.
func note(name string, kind, address uint32) []byte {
	b := packed(uint32(len(name)), uint32(4), kind)
	return append(append(b, name...), packed(address)...)
}

// packed is values as they are on a disk.
func packed(values ...any) (b []byte) {
	for _, v := range values {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, v); err != nil {
			panic(err) // a value without a fixed size
		}
	}
	return b
}

// kernel makes an ELF file of segments; its notes are at 0x200.
func kernel(notes []byte, all ...segment) []byte {
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56,
	}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	all = append(all, segment{kind: elf.PT_NOTE, off: 0x200, inFile: uint64(len(notes)), inMemory: uint64(len(notes))})
	h.Phnum = uint16(len(all))
	head := packed(h)
	for _, s := range all {
		head = append(head, packed(elf.Prog64{
			Type: uint32(s.kind), Off: s.off, Paddr: s.paddr, Filesz: s.inFile, Memsz: s.inMemory,
		})...)
	}
	file := make([]byte, 0x3000)
	copy(file, head)
	copy(file[0x200:], notes)
	return file
}

func TestReadKernel(t *testing.T) {
	entry := note("Xen\x00", 18, 0x1000500)
	text := segment{elf.PT_LOAD, 0x1000, 0x1000000, 0x801, 0x801}
	data := segment{elf.PT_LOAD, 0x2000, 0x1001000, 0x100, 0x900}
	for _, tt := range []struct {
		name string
		file []byte
		want program
	}{
		{"two segments", kernel(entry, text, data), program{
			entry: 0x1000500, end: 0x1001900,
			reads:  []read{{8, 5, 0x1000000}, {16, 1, 0x1001000}},
			clears: []area{{0x1001100, 0x800}},
		}},
		{"notes before it", kernel(append(note("GNU\x00", 3, 7), entry...), text), program{
			entry: 0x1000500, end: 0x1000801, reads: []read{{8, 5, 0x1000000}},
		}},
		{"no entry", kernel(note("Xen\x00", 17, 1), text), program{}},
		{"the note of another", kernel(note("Zen\x00", 18, 1), text), program{}},
		{"no segments", kernel(entry), program{}},
		{"a segment in the BIOS's memory", kernel(entry, segment{elf.PT_LOAD, 0x1000, 0x8000, 1, 1}), program{}},
		{"not at a sector", kernel(entry, segment{elf.PT_LOAD, 0x1001, 0x1000000, 1, 1}), program{}},
		{"beyond 4 GiB", kernel(entry, segment{elf.PT_LOAD, 0x1000, 0xfffffe00, 1, 0x1000}), program{}},
		{"a size that wraps", kernel(entry, segment{elf.PT_LOAD, 0x1000, 0x1000000, 1, 1<<64 - 1}), program{}},
		{"less memory than file", kernel(entry, segment{elf.PT_LOAD, 0x1000, 0x1000000, 2, 1}), program{}},
		{"not ELF", []byte("MZ"), program{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readKernel(bytes.NewReader(tt.file))
			if !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.want.entry != 0) || err != nil && !errors.Is(err, errNotBootable) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// TestOrders: the addresses in the orders lead to what the loader and the kernel expect there.
func TestOrders(t *testing.T) {
	b := boot{
		kernel:   program{entry: 0x1000500, end: 0x1234567, reads: []read{{8, 5, 0x1000000}}, clears: []area{{0x1001100, 0x800}}},
		kernelAt: 4096, initrdAt: 8192, initrdSize: 1025, commandLine: "quiet",
	}
	all, err := b.partition()
	if err != nil || len(all) != loaderSize || !bytes.HasPrefix(all, loaderCode) {
		t.Fatalf("%d bytes, %v", len(all), err)
	}
	memory := func(address uint64) []byte { return all[address-ordersBase+ordersAt:] }
	u32, u64 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	o := memory(ordersBase)
	if u32(o) != 0x1000500 || u32(o[4:]) != 0x1400000+3*512 || u32(o[12:]) != 2|1<<16 {
		t.Errorf("entry %#x, end %#x, counts %#x", u32(o), u32(o[4:]), u32(o[12:]))
	}
	if u32(o[16:]) != 4104 || u32(o[28:]) != 8192 || u32(o[32:]) != 3 || u32(o[36:]) != 0x1400000 || u32(o[40:]) != 0x1001100 {
		t.Errorf("the lists are % x", o[16:48])
	}
	info := memory(uint64(u32(o[8:])))
	if u32(info) != 0x336ec578 || u32(info[4:]) != 1 || u32(info[12:]) != 1 || u64(info[40:]) != mapAt {
		t.Errorf("the start info is % x", info[:56])
	}
	if module := memory(u64(info[16:])); u64(module) != 0x1400000 || u64(module[8:]) != 1025 {
		t.Errorf("the initramfs is % x", module[:32])
	}
	if line := memory(u64(info[24:])); !bytes.HasPrefix(line, []byte("quiet\x00")) {
		t.Errorf("the command line is %q", line[:8])
	}
	b.commandLine = strings.Repeat("x", maxLine+1)
	if _, err := b.partition(); err == nil {
		t.Error("a command line that is too long is taken")
	}
}

// FuzzReadKernel: whatever a file says of itself, what the loader would be told stays in its bounds.
func FuzzReadKernel(f *testing.F) {
	f.Add(kernel(note("Xen\x00", 18, 1), segment{elf.PT_LOAD, 0x1000, 0x1000000, 0x801, 0x901}))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := readKernel(bytes.NewReader(file))
		if err != nil {
			return
		}
		for _, r := range p.reads {
			if r.address < 1<<20 || uint64(r.address)+uint64(r.sectors)*sectorSize > maxAddress {
				t.Errorf("reads to %#x", r.address)
			}
		}
		for _, a := range p.clears {
			if a.address < 1<<20 || uint64(a.address)+uint64(a.size) > uint64(p.end) {
				t.Errorf("clears %#x", a.address)
			}
		}
	})
}

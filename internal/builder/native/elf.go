package native

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// object is what the dynamic loader reads of an ELF file.
type object struct {
	needed   []string // DT_NEEDED
	runpath  []string // DT_RUNPATH, or DT_RPATH if there is none
	soname   string
	program  bool      // it has an interpreter: it is started, and not loaded
	versions []version // symbol versions that it wants
}

// version is one that an object wants of a library, such as GLIBC_2.38 of libc.so.6.
type version struct{ library, name string }

// errOther says that a file is none that this machine's loader takes: no ELF, or one of another machine.
var errOther = errors.New("not an ELF file of this machine")

// Limits of what is read of one file. Real ones have 60 libraries and some hundred versions.
const (
	maxHeaders  = 128
	maxDynamic  = 4096
	maxVersions = 4096
	maxString   = 4096 // bytes
)

// readObject reads a file by its program headers, as the loader does. Package debug/elf reads the section headers,
// which strip may have removed, says of itself that it is not made for hostile files, and unpacks compressed sections
// of any size. Here nothing is read but what is named, each string by itself, and every loop has an end.
func readObject(r io.ReaderAt, machine elf.Machine) (object, error) {
	f := file{r: r}
	if err := f.readHeaders(machine); err != nil {
		return object{}, err
	}
	return f.object()
}

type file struct {
	r       io.ReaderAt
	loads   []elf.Prog64 // PT_LOAD
	dynamic elf.Prog64
	program bool
}

// maxOffset bounds where things are in a file: additions below it do not overflow.
const maxOffset = 1 << 40

func (f *file) at(off uint64, n int) ([]byte, error) {
	if off > maxOffset {
		return nil, errors.New("it points behind its end")
	}
	b := make([]byte, n)
	if _, err := f.r.ReadAt(b, int64(off)); err != nil {
		return nil, fmt.Errorf("it is cut short: %w", err)
	}
	return b, nil
}

func (f *file) readHeaders(machine elf.Machine) error {
	const headerSize, progSize = 64, 56
	b := make([]byte, headerSize)
	if _, err := f.r.ReadAt(b, 0); err != nil {
		return errOther
	}
	var h elf.Header64
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, &h); err != nil {
		return errOther
	}
	kind := elf.Type(h.Type)
	if string(h.Ident[:4]) != elf.ELFMAG || elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 ||
		elf.Data(h.Ident[elf.EI_DATA]) != elf.ELFDATA2LSB || elf.Machine(h.Machine) != machine ||
		(kind != elf.ET_DYN && kind != elf.ET_EXEC) || !linux(elf.OSABI(h.Ident[elf.EI_OSABI])) {
		return errOther
	}
	if h.Phentsize != progSize || h.Phnum > maxHeaders {
		return fmt.Errorf("it has %d program headers of %d bytes", h.Phnum, h.Phentsize)
	}
	b, err := f.at(h.Phoff, int(h.Phnum)*progSize)
	if err != nil {
		return err
	}
	all := make([]elf.Prog64, h.Phnum)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, &all); err != nil {
		return err
	}
	for _, p := range all {
		switch elf.ProgType(p.Type) {
		case elf.PT_LOAD:
			f.loads = append(f.loads, p)
		case elf.PT_DYNAMIC:
			f.dynamic = p
		case elf.PT_INTERP:
			f.program = true
		}
	}
	return nil
}

// linux reports whether files of this kind run on Linux. Packages bring those of FreeBSD too.
func linux(abi elf.OSABI) bool { return abi == elf.ELFOSABI_NONE || abi == elf.ELFOSABI_LINUX }

// offset is where the address is in the file.
func (f *file) offset(addr uint64) (uint64, error) {
	for _, p := range f.loads {
		if addr >= p.Vaddr && addr-p.Vaddr < p.Filesz && p.Off < maxOffset {
			return p.Off + (addr - p.Vaddr), nil
		}
	}
	return 0, fmt.Errorf("the address %#x is not in it", addr)
}

// text reads the string at an offset.
func (f *file) text(off uint64) (string, error) {
	if off > maxOffset {
		return "", errors.New("it points behind its end")
	}
	b := make([]byte, maxString)
	n, err := f.r.ReadAt(b, int64(off))
	end := bytes.IndexByte(b[:n], 0)
	if end < 0 {
		return "", fmt.Errorf("a name has no end: %w", errors.Join(err, errOther))
	}
	return string(b[:end]), nil
}

// tags are the entries of PT_DYNAMIC, in their order.
func (f *file) tags() ([]elf.Dyn64, error) {
	const size = 16
	n := min(f.dynamic.Filesz/size, maxDynamic)
	if n == 0 {
		return nil, nil // a static program
	}
	b, err := f.at(f.dynamic.Off, int(n)*size)
	if err != nil {
		return nil, err
	}
	all := make([]elf.Dyn64, n)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, &all); err != nil {
		return nil, err
	}
	if end := slices.IndexFunc(all, func(d elf.Dyn64) bool { return d.Tag == int64(elf.DT_NULL) }); end >= 0 {
		all = all[:end]
	}
	return all, nil
}

func (f *file) object() (object, error) {
	o := object{program: f.program}
	tags, err := f.tags()
	if err != nil || len(tags) == 0 {
		return o, err
	}
	value := func(tag elf.DynTag) (uint64, bool) {
		i := slices.IndexFunc(tags, func(d elf.Dyn64) bool { return d.Tag == int64(tag) })
		if i < 0 {
			return 0, false
		}
		return tags[i].Val, true
	}
	addr, ok := value(elf.DT_STRTAB)
	if !ok {
		return o, nil
	}
	strings, err := f.offset(addr)
	if err != nil {
		return o, err
	}
	if err := f.names(&o, tags, strings); err != nil {
		return o, err
	}
	if addr, ok := value(elf.DT_VERNEED); ok {
		o.versions, err = f.verneed(addr, strings)
	}
	return o, err
}

// names reads the tags that name something; strings is where their names are.
func (f *file) names(o *object, tags []elf.Dyn64, strings uint64) error {
	var rpath []string
	for _, d := range tags {
		tag := elf.DynTag(d.Tag)
		if tag != elf.DT_NEEDED && tag != elf.DT_SONAME && tag != elf.DT_RUNPATH && tag != elf.DT_RPATH {
			continue
		}
		if d.Val > maxOffset {
			return errors.New("it points behind its end")
		}
		text, err := f.text(strings + d.Val)
		if err != nil {
			return err
		}
		switch tag {
		case elf.DT_NEEDED:
			o.needed = append(o.needed, text)
		case elf.DT_SONAME:
			o.soname = text
		case elf.DT_RUNPATH:
			o.runpath = split(text)
		case elf.DT_RPATH:
			rpath = split(text)
		}
	}
	if o.runpath == nil {
		o.runpath = rpath
	}
	return nil
}

func split(list string) []string { return strings.Split(list, ":") }

// verneed reads the versions that are wanted of each library: a list of libraries, and in each a list of versions. Each
// entry names the next one by its distance, so a list ends at a distance of zero, and all of them after maxVersions.
func (f *file) verneed(addr, strings uint64) (all []version, err error) {
	at, err := f.offset(addr)
	if err != nil {
		return nil, err
	}
	left := maxVersions
	for left > 0 {
		b, err := f.at(at, 16)
		if err != nil {
			return nil, err
		}
		le := binary.LittleEndian
		library, err := f.text(strings + uint64(le.Uint32(b[4:])))
		if err != nil {
			return nil, err
		}
		count := min(int(le.Uint16(b[2:])), left)
		left -= count + 1
		names, err := f.vernaux(at+uint64(le.Uint32(b[8:])), strings, count)
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			all = append(all, version{library, n})
		}
		step := le.Uint32(b[12:])
		if step == 0 {
			break
		}
		at += uint64(step)
	}
	return all, nil
}

// vernaux reads the names of count versions, but for those without which the object can be loaded.
func (f *file) vernaux(at, strings uint64, count int) (names []string, err error) {
	const weak = 2 // VER_FLG_WEAK
	for range count {
		b, err := f.at(at, 16)
		if err != nil {
			return nil, err
		}
		le := binary.LittleEndian
		if le.Uint16(b[4:])&weak == 0 {
			name, err := f.text(strings + uint64(le.Uint32(b[8:])))
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		step := le.Uint32(b[12:])
		if step == 0 {
			break
		}
		at += uint64(step)
	}
	return names, nil
}

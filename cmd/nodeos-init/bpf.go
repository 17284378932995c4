package main

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// register is a register of the BPF machine.
type register uint8

// r0 holds results, r1 to r5 arguments; r6 to r9 survive calls.
const (
	r0 register = iota
	r1
	r2
	r3
	r4
	_
	r6
	r7
	r8
	r9
	fp
	noReg register = 0xff
)

// Sizes of loads.
const (
	word  = unix.BPF_W
	half  = unix.BPF_H
	octet = unix.BPF_B
)

const (
	instructionSize = 8
	skbProtocol     = 16 // offset of protocol in struct __sk_buff
)

// Helpers of the kernel.
const (
	mapLookup = 1   // bpf_map_lookup_elem
	skRelease = 86  // bpf_sk_release
	skAssign  = 124 // bpf_sk_assign
)

// instruction is one of the kernel's struct bpf_insn.
type instruction struct {
	code     uint8
	dst, src register
	offset   int16
	value    int32
	target   string // of a jump
}

// program is a BPF program with named jump targets.
type program struct {
	code   []instruction
	labels map[string]int
}

func (p *program) add(i instruction) { p.code = append(p.code, i) }

func (p *program) label(name string) {
	if p.labels == nil {
		p.labels = map[string]int{}
	}
	p.labels[name] = len(p.code)
}

func (p *program) move(dst, src register) {
	p.add(instruction{code: unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_X, dst: dst, src: src})
}

func (p *program) set(dst register, value int32) {
	p.add(instruction{code: unix.BPF_ALU64 | unix.BPF_MOV | unix.BPF_K, dst: dst, value: value})
}

func (p *program) load(dst, base register, offset int16, size uint8) {
	p.add(instruction{code: unix.BPF_LDX | unix.BPF_MEM | size, dst: dst, src: base, offset: offset})
}

// loadMap loads the map that fd refers to. It takes two instructions.
func (p *program) loadMap(dst register, fd int) {
	p.add(instruction{code: unix.BPF_LD | unix.BPF_IMM | unix.BPF_DW, dst: dst, src: unix.BPF_PSEUDO_MAP_FD, value: int32(fd)})
	p.add(instruction{})
}

// storeZero writes a word of zeros to fp+to.
func (p *program) storeZero(to int16) {
	p.add(instruction{code: unix.BPF_ST | unix.BPF_MEM | unix.BPF_W, dst: fp, offset: to})
}

// stackAddress makes dst point to fp+to.
func (p *program) stackAddress(dst register, to int32) {
	p.move(dst, fp)
	p.add(instruction{code: unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K, dst: dst, value: to})
}

func (p *program) call(helper int32) {
	p.add(instruction{code: unix.BPF_JMP | unix.BPF_CALL, value: helper})
}

// jumpIfNull compares all 64 bits: the kernel wants to see that of a pointer.
func (p *program) jumpIfNull(r register, target string) {
	p.add(instruction{code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, dst: r, target: target})
}

// The comparisons are of 32 bits: a value with the highest bit set would be
// extended to 64 with its sign.
func (p *program) jumpUnless(r register, value int32, target string) {
	p.add(instruction{code: unix.BPF_JMP32 | unix.BPF_JNE | unix.BPF_K, dst: r, value: value, target: target})
}

func (p *program) exit(result int32) {
	p.set(r0, result)
	p.add(instruction{code: unix.BPF_JMP | unix.BPF_EXIT})
}

// assemble returns the program in the kernel's form.
func (p *program) assemble() ([]byte, error) {
	var b []byte
	for at, i := range p.code {
		if i.target != "" {
			to, ok := p.labels[i.target]
			if !ok || to <= at {
				return nil, fmt.Errorf("jump to %q, which does not come", i.target)
			}
			i.offset = int16(to - at - 1)
		}
		// On little-endian machines the destination is in the lower four bits.
		registers := uint8(i.dst) | uint8(i.src)<<4
		b = append(b, i.code, registers)
		b = binary.NativeEndian.AppendUint16(b, uint16(i.offset))
		b = binary.NativeEndian.AppendUint32(b, uint32(i.value))
	}
	return b, nil
}

// loadAs has the kernel check the program. hook is where it is to be attached, for the kinds of programs that want to
// know; it is 0 for others.
func (p *program) loadAs(kind, hook uint32) (fd int, err error) {
	code, err := p.assemble()
	if err != nil {
		return -1, err
	}
	license := []byte("MIT\x00")
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&code[0])
	pins.Pin(&license[0])
	attr := struct {
		kind, count   uint32
		code, license uint64
		_             [44]byte // log, version, flags, name and interface: all zero
		hook          uint32
	}{
		kind: kind, count: uint32(len(code) / instructionSize),
		code: uint64(uintptr(unsafe.Pointer(&code[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0]))), hook: hook,
	}
	return bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

// bpf is the system call bpf(2).
func bpf(command uintptr, attr unsafe.Pointer, size uintptr) (int, error) {
	got, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(attr), size)
	if errno != 0 {
		return -1, errno
	}
	return int(got), nil
}

package main

import (
	"encoding/binary"
	"fmt"

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
	skbLoadBytes    = 26 // helper bpf_skb_load_bytes
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

func (p *program) and(dst register, value int32) {
	p.add(instruction{code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, dst: dst, value: value})
}

func (p *program) shiftLeft(dst register, value int32) {
	p.add(instruction{code: unix.BPF_ALU | unix.BPF_LSH | unix.BPF_K, dst: dst, value: value})
}

func (p *program) load(dst, base register, offset int16, size uint8) {
	p.add(instruction{code: unix.BPF_LDX | unix.BPF_MEM | size, dst: dst, src: base, offset: offset})
}

// The comparisons are of 32 bits: a value with the highest bit set would be
// extended to 64 with its sign.
func (p *program) jumpIf(r register, value int32, target string) {
	p.add(instruction{code: unix.BPF_JMP32 | unix.BPF_JEQ | unix.BPF_K, dst: r, value: value, target: target})
}

func (p *program) jumpUnless(r register, value int32, target string) {
	p.add(instruction{code: unix.BPF_JMP32 | unix.BPF_JNE | unix.BPF_K, dst: r, value: value, target: target})
}

func (p *program) jump(target string) {
	p.add(instruction{code: unix.BPF_JMP | unix.BPF_JA, target: target})
}

func (p *program) exit(result int32) {
	p.set(r0, result)
	p.add(instruction{code: unix.BPF_JMP | unix.BPF_EXIT})
}

// readPacket copies size bytes of the packet, from base (if there is one) plus offset, to fp+to. If that fails, the
// program continues at "drop".
func (p *program) readPacket(packet, base register, offset, to, size int32) {
	p.move(r1, packet)
	p.set(r2, offset)
	if base != noReg {
		p.add(instruction{code: unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_X, dst: r2, src: base})
	}
	p.move(r3, fp)
	p.add(instruction{code: unix.BPF_ALU64 | unix.BPF_ADD | unix.BPF_K, dst: r3, value: to})
	p.set(r4, size)
	p.add(instruction{code: unix.BPF_JMP | unix.BPF_CALL, value: skbLoadBytes})
	p.jumpUnless(r0, 0, "drop")
}

// assemble returns the program in the kernel's form.
func (p *program) assemble() ([]byte, error) {
	var b []byte
	for at, i := range p.code {
		if i.target != "" {
			to, ok := p.labels[i.target]
			if !ok || to <= at {
				return nil, fmt.Errorf("filter: jump to %q, which does not come", i.target)
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

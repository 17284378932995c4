package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// closeAddresses keeps every process of the guest from opening connections to the IPv4 prefixes n.Closed, except for
// DNS. Answers to connections that came from there pass: with QEMU's user-mode network the host forwards requests in
// that way, from the very address at which a guest would reach the services on the host's loopback.
//
// It is a BPF program on all packets that leave the machine: the app, which has no privileges, cannot go around it.
// Rejected: a routing rule that lets the app's port through, because an app may connect *from* its port; netfilter,
// which needs five more modules; and cilium/ebpf, which is 1.5 MB for these 40 instructions.
func closeAddresses(n guest.Network) error {
	if len(n.Closed) == 0 {
		return nil
	}
	program, err := egressProgram(n)
	if err != nil {
		return err
	}
	code, err := program.assemble()
	if err != nil {
		return err
	}
	fd, err := loadProgram(code)
	if err != nil {
		return fmt.Errorf("load filter: %w", err)
	}
	defer unix.Close(fd)
	return attachEgress(fd)
}

// attachEgress attaches the program to the root of the cgroups. It stays attached after the mount is gone.
func attachEgress(program int) error {
	m := mountPoint{source: "cgroup", target: "/run/cgroup", kind: "cgroup2", flags: hardened, create: true}
	if err := m.mount(); err != nil {
		return err
	}
	root, err := os.Open(m.target)
	if err != nil {
		return err
	}
	attr := struct{ target, program, kind, flags uint32 }{uint32(root.Fd()), uint32(program), unix.BPF_CGROUP_INET_EGRESS, 0}
	_, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	err = errors.Join(root.Close(), unix.Unmount(m.target, 0), os.Remove(m.target))
	if errno != 0 {
		return fmt.Errorf("attach filter: %w", errno)
	}
	return err
}

func loadProgram(code []byte) (fd int, err error) {
	license := []byte("MIT\x00")
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&code[0])
	pins.Pin(&license[0])
	attr := struct {
		kind, count   uint32
		code, license uint64
		// The log of the verifier, the version and the flags: all zero.
		_ [24]byte
	}{
		unix.BPF_PROG_TYPE_CGROUP_SKB, uint32(len(code) / instructionSize),
		uint64(uintptr(unsafe.Pointer(&code[0]))), uint64(uintptr(unsafe.Pointer(&license[0]))), [24]byte{},
	}
	got, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return -1, errno
	}
	return int(got), nil
}

// Where egressProgram keeps what it reads of a packet, below the frame
// pointer: the IP header, the ports, and the TCP flags.
const (
	ipHeader = -24 // 20 bytes
	ports    = -32 // 4 bytes
	flags    = -28 // 2 bytes, the second of which holds SYN and ACK
)

// Registers of egressProgram that keep their values throughout.
const (
	packet = r6
	dest   = r7 // address
	proto  = r8
	length = r9 // of the IP header, in bytes
)

// egressProgram is the filter: 1 lets a packet pass, 0 drops it.
func egressProgram(n guest.Network) (program, error) {
	p := program{}
	p.move(packet, r1)
	p.load(r0, packet, skbProtocol, word)
	p.jumpUnless(r0, networkOrder16(unix.ETH_P_IP), "pass")
	p.readPacket(packet, noReg, 0, ipHeader, 20)
	p.load(dest, fp, ipHeader+16, word)
	own, err := netip.ParsePrefix(n.Address)
	if err != nil || !own.Addr().Is4() {
		return p, fmt.Errorf("filter: own address %q is no IPv4 prefix", n.Address)
	}
	p.jumpIf(dest, networkOrder(own.Addr()), "pass")
	if err := p.matchPrefixes(n.Closed); err != nil {
		return p, err
	}
	p.jump("pass")
	p.label("closed")
	p.passAnswers()
	p.label("new")
	p.passDNS(n.DNS)
	p.label("drop")
	p.exit(0)
	p.label("pass")
	p.exit(1)
	return p, nil
}

// passAnswers lets packets of existing connections pass, and continues at "new" with packets that open one.
func (p *program) passAnswers() {
	p.load(proto, fp, ipHeader+9, octet)
	p.load(length, fp, ipHeader, octet)
	p.and(length, 0xf)
	p.shiftLeft(length, 2)
	p.readPacket(packet, length, 0, ports, 4)
	p.jumpIf(proto, unix.IPPROTO_UDP, "new")
	p.jumpUnless(proto, unix.IPPROTO_TCP, "pass")
	p.readPacket(packet, length, 12, flags, 2)
	const syn, ack = 0x02, 0x10
	p.load(r1, fp, flags+1, octet)
	p.and(r1, syn|ack)
	p.jumpUnless(r1, syn, "pass")
}

// passDNS lets packets to port 53 of a DNS server pass, and continues at "drop" with all others.
func (p *program) passDNS(servers []string) {
	p.load(r1, fp, ports+2, half)
	p.jumpUnless(r1, networkOrder16(53), "drop")
	for _, text := range servers {
		if dns, err := netip.ParseAddr(text); err == nil && dns.Is4() {
			p.jumpIf(dest, networkOrder(dns), "pass")
		}
	}
}

// matchPrefixes jumps to "closed" if dest is in one of the prefixes.
func (p *program) matchPrefixes(prefixes []string) error {
	for _, text := range prefixes {
		prefix, err := netip.ParsePrefix(text)
		if err != nil || !prefix.Addr().Is4() {
			return fmt.Errorf("filter: %q is no IPv4 prefix", text)
		}
		p.move(r1, dest)
		p.and(r1, networkOrder32(^uint32(0)<<(32-prefix.Bits())))
		p.jumpIf(r1, networkOrder(prefix.Masked().Addr()), "closed")
	}
	return nil
}

// networkOrder returns an address as a load from a packet yields it.
func networkOrder(a netip.Addr) int32 {
	b := a.As4()
	return int32(binary.NativeEndian.Uint32(b[:]))
}

func networkOrder32(n uint32) int32 {
	return int32(binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, n)))
}

func networkOrder16(n uint16) int32 {
	return int32(binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n)))
}

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// closeAddresses keeps every process of the guest from opening connections to the IPv4 prefixes n.Closed, except for
// DNS. Answers to connections that came from there pass: with QEMU's user-mode network the host forwards requests in
// that way, from the very address at which a guest would reach the services on the host's loopback.
//
// The wall is a BPF program on all packets that leave the machine: the app, which has no privileges, cannot go around
// it. A connection whose packets it drops would hang until the kernel gives up, so two more programs refuse connect(2)
// itself. They are a courtesy, and close nothing that the first leaves open.
//
// Rejected: a routing rule that lets the app's port through, because an app may connect *from* its port; netfilter,
// which needs five more modules; and cilium/ebpf, which is 1.5 MB for these instructions.
func closeAddresses(n guest.Network) error {
	if len(n.Closed) == 0 {
		return nil
	}
	filters, err := filtersFor(n)
	if err != nil {
		return err
	}
	m := mountPoint{source: "cgroup", target: "/run/cgroup", kind: "cgroup2", flags: hardened, create: true}
	if err := m.mount(); err != nil {
		return err
	}
	root, err := os.Open(m.target)
	if err != nil {
		return err
	}
	for _, f := range filters {
		err = errors.Join(err, f.attach(root))
	}
	return errors.Join(err, root.Close(), unix.Unmount(m.target, 0), os.Remove(m.target))
}

// filter is a program, and where it belongs.
type filter struct {
	program

	kind, hook uint32
}

func filtersFor(n guest.Network) ([]filter, error) {
	out, err := egressProgram(n)
	if err != nil {
		return nil, err
	}
	filters := []filter{{out, unix.BPF_PROG_TYPE_CGROUP_SKB, unix.BPF_CGROUP_INET_EGRESS}}
	for _, hook := range []uint32{unix.BPF_CGROUP_INET4_CONNECT, unix.BPF_CGROUP_INET6_CONNECT} {
		p, err := connectProgram(n, hook)
		if err != nil {
			return nil, err
		}
		filters = append(filters, filter{p, unix.BPF_PROG_TYPE_CGROUP_SOCK_ADDR, hook})
	}
	return filters, nil
}

// attach attaches the program to the root of the cgroups. It stays attached after the mount is gone.
func (f *filter) attach(root *os.File) error {
	fd, err := f.loadAs(f.kind, f.hook)
	if err != nil {
		return fmt.Errorf("load filter: %w", err)
	}
	defer unix.Close(fd)
	attr := struct{ target, program, kind, flags uint32 }{uint32(root.Fd()), uint32(fd), f.hook, 0}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
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
	p.load(r1, fp, ports+2, half)
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

// Offsets in struct bpf_sock_addr.
const (
	addrIP4  = 4
	addrIP6  = 8
	addrPort = 24
	addrType = 32
)

// connectProgram answers connect(2) with "operation not permitted" (0) where egressProgram would drop the packets. That
// is for TCP: who sends a datagram is told by the kernel that it was dropped. A socket for IPv6 can name an IPv4
// address too.
func connectProgram(n guest.Network, hook uint32) (program, error) {
	p := program{}
	p.move(packet, r1)
	p.load(r0, packet, addrType, word)
	p.jumpUnless(r0, unix.SOCK_STREAM, "pass")
	ip := int16(addrIP4)
	if hook == unix.BPF_CGROUP_INET6_CONNECT {
		for i, prefix := range []int32{0, 0, networkOrder32(0xffff)} {
			p.load(r0, packet, addrIP6+4*int16(i), word)
			p.jumpUnless(r0, prefix, "pass")
		}
		ip = addrIP6 + 12
	}
	p.load(dest, packet, ip, word)
	own, err := netip.ParsePrefix(n.Address)
	if err != nil {
		return p, err
	}
	p.jumpIf(dest, networkOrder(own.Addr()), "pass")
	if err := p.matchPrefixes(n.Closed); err != nil {
		return p, err
	}
	p.jump("pass")
	p.label("closed")
	p.load(r1, packet, addrPort, word)
	p.passDNS(n.DNS)
	p.label("drop")
	p.exit(0)
	p.label("pass")
	p.exit(1)
	return p, nil
}

// passDNS lets pass what goes to port 53 (in r1) of a DNS server, and continues at "drop" with all else.
func (p *program) passDNS(servers []string) {
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

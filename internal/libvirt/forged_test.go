package libvirt

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cable is the end of a machine's network that its QEMU holds: whoever has that process sends what he likes.
type cable struct {
	fd     int
	header int    // bytes before each frame, for offloads
	dev    string // the other end
}

// steal takes a copy of a machine's cable out of its QEMU.
func steal(t *testing.T, p *probe) cable {
	t.Helper()
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range fds {
		to, err := os.Readlink(path)
		if err != nil || to != "/dev/net/tun" {
			continue
		}
		parts := strings.Split(path, "/")
		line, err := os.ReadFile("/proc/" + parts[2] + "/cmdline")
		if err != nil || !strings.Contains(string(line), p.m.ID) {
			continue
		}
		return copyOf(t, number(t, parts[2]), number(t, parts[4]))
	}
	t.Fatalf("nobody holds the cable of %s", p.m.ID)
	return cable{}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func copyOf(t *testing.T, pid, number int) cable {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	c := cable{}
	if c.fd, err = unix.PidfdGetfd(process, number, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(c.fd) })
	if c.header, err = unix.IoctlGetInt(c.fd, unix.TUNGETVNETHDRSZ); err != nil {
		t.Fatal(err)
	}
	ifreq, err := unix.NewIfreq("")
	if err == nil {
		err = unix.IoctlIfreq(c.fd, unix.TUNGETIFF, ifreq)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.dev = ifreq.Name()
	return c
}

func (c cable) send(t *testing.T, frame []byte) {
	t.Helper()
	if _, err := unix.Write(c.fd, append(make([]byte, c.header), frame...)); err != nil {
		t.Fatal(err)
	}
}

// listen gets the frames that pass a device of the host.
func listen(t *testing.T, dev string) int {
	t.Helper()
	link, err := net.InterfaceByName(dev)
	if err != nil {
		t.Fatal(err)
	}
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in the network's order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index})
	}
	if err == nil {
		err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

const forgery = "gitd-forged-"

// seen returns the names of the marked frames that fd gets until it has got last, or nothing comes any more.
func seen(t *testing.T, fd int, last string) (names []string) {
	t.Helper()
	b := make([]byte, 2048)
	for limit := time.Now().Add(10 * time.Second); time.Now().Before(limit); {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err == unix.EAGAIN && last == "" {
			return names
		}
		if err != nil {
			continue
		}
		if _, name, is := bytes.Cut(b[:n], []byte(forgery)); is {
			name = name[:bytes.IndexByte(name, '.')]
			names = append(names, string(name))
			if string(name) == last {
				return names
			}
		}
	}
	return names
}

type ends struct {
	srcMAC, dstMAC net.HardwareAddr
	src, dst       netip.Addr
}

// frame is one of Ethernet.
func (e ends) frame(kind uint16, body []byte, name string) []byte {
	b := append(append([]byte{}, e.dstMAC...), e.srcMAC...)
	b = append(binary.BigEndian.AppendUint16(b, kind), body...)
	return append(b, forgery+name+"."...)
}

// packet is one of IPv4, with a datagram that nobody waits for.
func (e ends) packet(name string) []byte {
	text := forgery + name + "."
	src, dst := e.src.As4(), e.dst.As4()
	b := []byte{0x45, 0, 0, byte(28 + len(text)), 0, 1, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	b = append(append(b, src[:]...), dst[:]...)
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum+sum>>16))
	b = append(b, 0x27, 0x0f, 0x27, 0x0f, 0, byte(8+len(text)), 0, 0) // from port 9999 to 9999, without a sum
	return e.frame(unix.ETH_P_IP, b, name)
}

// arp says that src is at the sender's address.
func (e ends) arp(name string) []byte {
	src, dst := e.src.As4(), e.dst.As4()
	b := []byte{0, 1, 8, 0, 6, 4, 0, 2}
	b = append(append(append(append(b, e.srcMAC...), src[:]...), e.dstMAC...), dst[:]...)
	return e.frame(unix.ETH_P_ARP, b, name)
}

func macOf(addr netip.Addr) net.HardwareAddr {
	b := addr.As4()
	return net.HardwareAddr{0x52, 0x54, b[0], b[1], b[2], b[3]}
}

// forged sends what no honest guest sends, by the cable of a.
func forged(t *testing.T, a, b *probe) {
	t.Helper()
	own, other := netip.MustParseAddrPort(a.m.Addr).Addr(), netip.MustParseAddrPort(b.m.Addr).Addr()
	c, neighbour := steal(t, a), steal(t, b)
	bridge, err := net.InterfaceByName(a.network())
	if err != nil {
		t.Fatal(err)
	}
	host := netip.MustParseAddr("10.77.0.1")
	honest := ends{macOf(own), bridge.HardwareAddr, own, host}
	passed, reached := listen(t, bridge.Name), listen(t, neighbour.dev)
	with := func(change func(*ends)) ends { e := honest; change(&e); return e }
	for _, frame := range [][]byte{
		with(func(e *ends) { e.src = other }).packet("another's IP"),
		with(func(e *ends) { e.src = host }).packet("the host's IP"),
		with(func(e *ends) { e.src = netip.MustParseAddr("9.9.9.9") }).packet("anybody's IP"),
		with(func(e *ends) { e.srcMAC = macOf(other) }).packet("another's MAC"),
		with(func(e *ends) { e.srcMAC = bridge.HardwareAddr }).packet("the host's MAC"),
		with(func(e *ends) { e.src = other }).arp("ARP for another"),
		with(func(e *ends) { e.src = host }).arp("ARP for the host"),
		with(func(e *ends) { e.dst = other }).arp("ARP to another"),
		with(func(e *ends) { e.dstMAC, e.dst = macOf(other), other }).packet("to another"),
		honest.frame(unix.ETH_P_IPV6, append([]byte{0x60}, make([]byte, 39)...), "IPv6"),
		honest.frame(unix.ETH_P_8021Q, append([]byte{0, 5, 8, 0}, honest.packet("")[14:34]...), "VLAN"),
		honest.frame(0x88cc, make([]byte, 46), "LLDP"),
		honest.packet("honest"),
	} {
		c.send(t, frame)
	}
	if got := seen(t, passed, "honest"); len(got) != 1 || got[0] != "honest" {
		t.Errorf("on the bridge: %q", got)
	}
	if got := seen(t, reached, ""); len(got) > 0 {
		t.Errorf("at the other machine: %q", got)
	}
}

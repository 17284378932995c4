package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// A machine without gitd asks its network for an address, with DHCP (RFC 2131). This is the part of it that such a
// machine needs. github.com/insomniacslk/dhcp would make this program larger by 88 KB, packed, and needs packet
// sockets, which the kernel does not have. The kernel's own client (ip=dhcp) never renews what it was given.

const (
	dhcpPatience = 10 * time.Second // the app waits this long for an address, and then starts without one
	dhcpAnswer   = 2 * time.Second  // for one answer
	dhcpAgain    = 10 * time.Second // after a failure
	dhcpLongest  = 24 * time.Hour   // between two renewals
)

// The kinds of messages.
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpACK      = 5
	dhcpNAK      = 6
)

// The options that are read or written.
const (
	optMask     = 1
	optRouter   = 3
	optDNS      = 6
	optHostname = 12
	optAddress  = 50
	optSeconds  = 51
	optKind     = 53
	optServer   = 54
	optWanted   = 55
	optEnd      = 255
)

// dhcpHead is the size of a message before its options; the last four bytes are a magic number.
const (
	dhcpHead  = 240
	dhcpMagic = 0x63825363
)

// dhcpMessage is what a server says.
type dhcpMessage struct {
	kind    byte
	address netip.Addr
	options map[byte][]byte
}

// network is what the message says of the network.
func (m dhcpMessage) network() guest.Network {
	bits := m.address.BitLen()
	if mask := m.options[optMask]; len(mask) == 4 {
		bits, _ = net.IPMask(mask).Size()
	}
	n := guest.Network{Address: netip.PrefixFrom(m.address, bits).String()}
	if r := m.options[optRouter]; len(r) >= 4 {
		n.Gateway = net.IP(r[:4]).String()
	}
	for dns := m.options[optDNS]; len(dns) >= 4; dns = dns[4:] {
		n.DNS = append(n.DNS, net.IP(dns[:4]).String())
	}
	return n
}

// renewal is when the lease must be renewed.
func (m dhcpMessage) renewal() time.Duration {
	lease := dhcpLongest
	if s := m.options[optSeconds]; len(s) == 4 {
		lease = time.Duration(binary.BigEndian.Uint32(s)) * time.Second / 2
	}
	return min(max(lease, dhcpAgain), dhcpLongest)
}

// parseDHCP reads a server's answer to the request id of the interface hardware. ok: it is one.
func parseDHCP(b []byte, id uint32, hardware net.HardwareAddr) (m dhcpMessage, ok bool) {
	if len(b) < dhcpHead || b[0] != 2 || binary.BigEndian.Uint32(b[4:]) != id ||
		string(b[28:34]) != string(hardware) || binary.BigEndian.Uint32(b[236:]) != dhcpMagic {
		return m, false
	}
	m.address, m.options = netip.AddrFrom4([4]byte(b[16:20])), map[byte][]byte{}
	for o := b[dhcpHead:]; len(o) > 0 && o[0] != optEnd; {
		if o[0] == 0 { // padding
			o = o[1:]
			continue
		}
		if len(o) < 2 {
			return m, false
		}
		end := 2 + int(o[1]) // as a byte, it would begin anew after 255
		if len(o) < end {
			return m, false
		}
		m.options[o[0]] = o[2:end]
		o = o[end:]
	}
	kind := m.options[optKind]
	if len(kind) != 1 {
		return m, false
	}
	m.kind = kind[0]
	return m, m.kind == dhcpNAK || !m.address.IsUnspecified()
}

// dhcpText is a message to servers. wants is the address that is asked for, and server whose offer it is, if there is
// one.
func dhcpText(kind byte, id uint32, hardware net.HardwareAddr, hostname string, wants, server []byte) []byte {
	b := make([]byte, dhcpHead)
	b[0], b[1], b[2] = 1, 1, 6 // a request, from Ethernet, with 6 bytes of address
	binary.BigEndian.PutUint32(b[4:], id)
	b[10] = 0x80 // the answer is for all: this machine has no address yet
	copy(b[28:34], hardware)
	binary.BigEndian.PutUint32(b[236:], dhcpMagic)
	add := func(option byte, value []byte) {
		if len(value) > 0 {
			b = append(append(b, option, byte(len(value))), value...)
		}
	}
	add(optKind, []byte{kind})
	add(optAddress, wants)
	add(optServer, server)
	add(optHostname, []byte(hostname))
	add(optWanted, []byte{optMask, optRouter, optDNS, optSeconds})
	return append(b, optEnd)
}

// dhcpClient asks on one interface.
type dhcpClient struct {
	link     netlink.Link
	hostname string
	say      func(format string, args ...any)
	has      string // the address that the interface has been given
}

// askNetwork configures the machine's first interface as its network says. If that does not answer, it goes on asking
// in the background.
func askNetwork(hostname string, say func(format string, args ...any)) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	c := &dhcpClient{hostname: hostname, say: say}
	for _, l := range links {
		if l.Attrs().Flags&net.FlagLoopback == 0 && c.link == nil && len(l.Attrs().HardwareAddr) == 6 {
			c.link = l
		}
		if err := netlink.LinkSetUp(l); err != nil {
			return fmt.Errorf("network: %s up: %w", l.Attrs().Name, err)
		}
	}
	if err := writeNames(guest.Network{}, hostname); err != nil || c.link == nil {
		say("this machine has no network card that its kernel knows: give it one of the kind virtio, with QEMU " +
			"-nic user,model=virtio-net-pci")
		return err
	}
	first := make(chan struct{})
	go c.keep(first)
	select {
	case <-first:
	case <-time.After(dhcpPatience):
		say("no DHCP server has answered in %s: the app starts without an address", dhcpPatience)
	}
	return nil
}

// keep gets a lease and renews it for ever. It closes first when it has the first one.
func (c *dhcpClient) keep(first chan struct{}) {
	var last dhcpMessage
	said := ""
	for {
		m, err := c.lease(last)
		if err == nil {
			err = c.apply(m)
		}
		if err != nil {
			if text := err.Error(); text != said {
				said = text
				c.say("DHCP: %s", text)
			}
			last = dhcpMessage{}
			time.Sleep(dhcpAgain)
			continue
		}
		if first != nil {
			close(first)
			first = nil
		}
		last, said = m, ""
		time.Sleep(m.renewal())
	}
}

// lease renews the lease of the message last, or gets a new one.
func (c *dhcpClient) lease(last dhcpMessage) (dhcpMessage, error) {
	s, err := c.socket()
	if err != nil {
		return last, err
	}
	defer unix.Close(s)
	var server []byte
	if last.kind != dhcpACK {
		if last, err = c.ask(s, dhcpDiscover, nil, nil, dhcpOffer); err != nil {
			return last, err
		}
		server = last.options[optServer]
	}
	m, err := c.ask(s, dhcpRequest, last.address.AsSlice(), server, dhcpACK)
	if err == nil && m.kind != dhcpACK {
		err = errors.New("the server takes the address back")
	}
	return m, err
}

// ask sends a message of the kind until it is answered by one of the kind want, or refused.
func (c *dhcpClient) ask(s int, kind byte, wants, server []byte, want byte) (dhcpMessage, error) {
	hardware, id := c.link.Attrs().HardwareAddr, uint32(time.Now().UnixNano())
	text := dhcpText(kind, id, hardware, c.hostname, wants, server)
	buf := make([]byte, 1500)
	for range 3 {
		all := &unix.SockaddrInet4{Port: 67, Addr: [4]byte{255, 255, 255, 255}}
		if err := unix.Sendto(s, text, 0, all); err != nil {
			return dhcpMessage{}, err
		}
		for give := time.Now().Add(dhcpAnswer); time.Now().Before(give); {
			n, err := unix.Read(s, buf)
			if err != nil {
				break // too late
			}
			if m, ok := parseDHCP(buf[:n], id, hardware); ok && (m.kind == want || m.kind == dhcpNAK) {
				return m, nil
			}
		}
	}
	return dhcpMessage{}, errors.New("no server answers")
}

// socket is one that sends and receives without an address. Linux takes a broadcast in on every interface that is up,
// so no raw socket is needed, which the kernel does not have.
func (c *dhcpClient) socket() (int, error) {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	wait := unix.NsecToTimeval(int64(dhcpAnswer))
	err = errors.Join(
		unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
		unix.BindToDevice(s, c.link.Attrs().Name),
		unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Bind(s, &unix.SockaddrInet4{Port: 68}),
	)
	if err != nil {
		unix.Close(s)
	}
	return s, err
}

// apply gives the interface what m says.
func (c *dhcpClient) apply(m dhcpMessage) error {
	n := m.network()
	if n.Address == c.has {
		return nil
	}
	if old, err := netlink.ParseAddr(c.has); err == nil {
		if err := netlink.AddrDel(c.link, old); err != nil {
			return fmt.Errorf("give up the address %s: %w", c.has, err)
		}
	}
	addr, err := netlink.ParseAddr(n.Address)
	if err == nil {
		err = netlink.AddrReplace(c.link, addr)
	}
	if err != nil {
		return fmt.Errorf("address %s: %w", n.Address, err)
	}
	c.has = n.Address
	if gw := net.ParseIP(n.Gateway); gw != nil {
		// Some clouds give a machine a network of one address, with a gateway outside of it.
		route := &netlink.Route{Gw: gw, LinkIndex: c.link.Attrs().Index, Flags: int(netlink.FLAG_ONLINK)}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("gateway %s: %w", n.Gateway, err)
		}
	}
	c.say("the address of this machine is %s", n.Address)
	return writeNames(n, c.hostname)
}

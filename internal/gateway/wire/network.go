package wire

import (
	"net"
	"net/netip"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// The network as the guest sees it. The IPv4 addresses are those of QEMU's own user network.
var (
	Guest   = netip.MustParseAddr("10.0.2.15")
	Gateway = netip.MustParseAddr("10.0.2.2") // leads to the host's loopback, where a rule allows it
	DNS     = netip.MustParseAddr("10.0.2.3")
)

// The addresses of IPv6 are of a range for this alone (RFC 4193), and the same in each machine: nobody else sees them.
var (
	Guest6   = netip.MustParseAddr("fd67:6974:6402::15")
	Gateway6 = netip.MustParseAddr("fd67:6974:6402::2")
)

// MTU is the longest packet between the guest and its gateway: QEMU is given it as the device's host_mtu. Nothing
// else is on the cable, and long packets are fewer.
const MTU = 9000

// Network is what the guest is told. It closes nothing by itself: what it may reach is decided outside. It has IPv6 if
// its host has.
func Network() guest.Network {
	n := guest.Network{
		Address: netip.PrefixFrom(Guest, 24).String(), Gateway: Gateway.String(), DNS: []string{DNS.String()},
	}
	if hasIPv6() {
		n.Address6, n.Gateway6 = netip.PrefixFrom(Guest6, 64).String(), Gateway6.String()
	}
	return n
}

// somewhere6 is an address of the internet; which one does not matter, because nothing is sent there.
var somewhere6 = net.UDPAddrFromAddrPort(netip.MustParseAddrPort("[2620:fe::fe]:53"))

// hasIPv6 reports whether this host knows a way to the internet of IPv6: the kernel looks for it when a socket of UDP
// is given its destination.
func hasIPv6() bool {
	c, err := net.DialUDP("udp6", nil, somewhere6)
	if err != nil {
		return false
	}
	defer c.Close()
	local, is := c.LocalAddr().(*net.UDPAddr)
	return is && !local.AddrPort().Addr().IsLoopback() && !local.AddrPort().Addr().IsLinkLocalUnicast()
}

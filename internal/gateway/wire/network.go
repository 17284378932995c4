package wire

import (
	"net/netip"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// The network as the guest sees it. The IPv4 addresses are those of QEMU's own user network.
var (
	Guest   = netip.MustParseAddr("10.0.2.15")
	Gateway = netip.MustParseAddr("10.0.2.2") // leads to the host's loopback, where a rule allows it
	DNS     = netip.MustParseAddr("10.0.2.3")
)

// MTU is the longest packet between the guest and its gateway: QEMU is given it as the device's host_mtu. Nothing
// else is on the cable, and long packets are fewer.
const MTU = 9000

// Network is what the guest is told. It closes nothing by itself: what it may reach is decided outside.
func Network() guest.Network {
	return guest.Network{
		Address: netip.PrefixFrom(Guest, 24).String(), Gateway: Gateway.String(), DNS: []string{DNS.String()},
	}
}

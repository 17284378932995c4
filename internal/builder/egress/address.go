package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// inward are the networks that are not the public Internet and that netip has
// no word for, and those that carry an IPv4 address inside an IPv6 one.
func inward() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),
		netip.MustParsePrefix("100.64.0.0/10"),  // carrier-grade NAT
		netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments
		netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
		netip.MustParsePrefix("240.0.0.0/4"),    // reserved, broadcast
		netip.MustParsePrefix("64:ff9b::/96"),   // NAT64
		netip.MustParsePrefix("64:ff9b:1::/48"), // local NAT64
		netip.MustParsePrefix("2001::/32"),      // Teredo
		netip.MustParsePrefix("2002::/16"),      // 6to4
		netip.MustParsePrefix("fec0::/10"),      // site-local
	}
}

// errBlocked begins every refusal that is a decision, and no failure.
var errBlocked = errors.New("builds may not reach")

// checkPublic refuses every address that is not out on the Internet: those of
// this machine, whatever their range, and those of the networks around it.
func checkPublic(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return fmt.Errorf("%w %s", errBlocked, ip)
	}
	for _, p := range inward() {
		if p.Contains(ip) {
			return fmt.Errorf("%w %s", errBlocked, ip)
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return fmt.Errorf("reading this machine's addresses: %w", err)
	}
	for _, a := range own {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Unmap() == ip {
			return fmt.Errorf("%w %s", errBlocked, ip)
		}
	}
	return nil
}

// checkDialled is a net.Dialer's Control: it sees the address that is really
// dialled, so a name that resolves to something else the second time changes
// nothing.
func checkDialled(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w %q", errBlocked, address)
	}
	return checkPublic(ap.Addr())
}

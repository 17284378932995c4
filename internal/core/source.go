package core

import (
	"fmt"
	"net/netip"
	"strings"
)

// sourceHint is what to type in place of a source that is none.
const sourceHint = "write an address or a network: 203.0.113.7, 203.0.113.0/24, 2001:db8::/32"

// ParseSource reads who may connect, an address or a network as people type it: 203.0.113.7, 203.0.113.0/24,
// 2001:db8::/32. What is none is a *Rejection. A network must be written without bits of a host: 203.0.113.7/24 may
// mean one address or the network.
func ParseSource(s string) (netip.Prefix, error) {
	refuse := func(why string) (netip.Prefix, error) {
		return netip.Prefix{}, Reject(fmt.Sprintf("%.80q %s", s, why), sourceHint)
	}
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return refuse("is no address and no network")
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return refuse("is no address and no network")
	case p.Addr().Is4In6():
		return refuse("is an IPv4 network in IPv6: write it as IPv4")
	case p != p.Masked():
		return refuse(fmt.Sprintf("is the address of one machine and the length of a network: write %s or %s", p.Masked(), p.Addr()))
	}
	return p, nil
}

// SourceText is p as ParseSource reads it, and as people write it: 203.0.113.7 for 203.0.113.7/32.
func SourceText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

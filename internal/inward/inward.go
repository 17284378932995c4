// Package inward knows which addresses are not out on the public internet: those of this host, of its links, of private
// networks, and those that mean nothing or something else than they seem.
//
// It owns the list. Whoever connects for somebody else (a build, a machine) decides with it at the dial, by the address
// that is really dialled.
package inward

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Place is a range of addresses that are not on the internet.
type Place struct {
	Range netip.Prefix
	What  string // "a private address", to be read after "is"
}

// Never reports whether nobody has a reason to connect to an address of p, whatever he may.
func (p Place) Never() bool { return p.What == nowhere || p.What == many }

const (
	nowhere  = "an address of nobody" // 0.0.0.0 and :: are the loopback for Linux
	many     = "an address of many"
	loopback = "the host's own loopback"
	link     = "an address of the host's link"
	private  = "a private address"
	reserved = "a reserved address"
	carrier  = "an address inside a carrier's network"
	within   = "an address with an IPv4 address inside"
	own      = "an address of the host itself"
)

// places has the narrower range before the wider one that holds it.
var places = []Place{
	place("0.0.0.0/8", nowhere),
	place("10.0.0.0/8", private),
	place("100.64.0.0/10", carrier),
	place("127.0.0.0/8", loopback),
	place("169.254.0.0/16", link), // also the clouds' metadata
	place("172.16.0.0/12", private),
	place("192.0.0.0/24", reserved),    // protocol assignments
	place("192.0.2.0/24", reserved),    // documentation
	place("192.88.99.0/24", reserved),  // 6to4's relays
	place("192.168.0.0/16", private),   //
	place("198.18.0.0/15", reserved),   // benchmarks
	place("198.51.100.0/24", reserved), // documentation
	place("203.0.113.0/24", reserved),  // documentation
	place("224.0.0.0/4", many),
	place("255.255.255.255/32", many),
	place("240.0.0.0/4", reserved),
	place("::/128", nowhere),
	place("::1/128", loopback),
	place("::/96", within),          // the oldest way
	place("64:ff9b::/96", within),   // NAT64
	place("64:ff9b:1::/48", within), // NAT64 of one's own
	place("2001::/32", within),      // Teredo
	place("2001::/23", reserved),    // protocol assignments, benchmarks, names of hosts
	place("2001:db8::/32", reserved),
	place("2002::/16", within), // 6to4
	place("3fff::/20", reserved),
	place("fc00::/7", private),
	place("fe80::/10", link),
	place("fec0::/10", private), // site-local
	place("ff00::/8", many),
}

// internet6 is the part of IPv6 that has been given out.
var internet6 = netip.MustParsePrefix("2000::/3")

func place(prefix, what string) Place { return Place{netip.MustParsePrefix(prefix), what} }

// Find returns the place of an address that is not on the internet. An IPv4 address within IPv6 is that IPv4 address,
// because that is what the kernel connects to.
func Find(ip netip.Addr) (Place, bool) {
	ip = ip.Unmap().WithZone("")
	for _, p := range places {
		if p.Range.Contains(ip) {
			return p, true
		}
	}
	if ip.Is4() || internet6.Contains(ip) {
		return Place{}, false
	}
	if !ip.IsValid() {
		return Place{What: nowhere}, true
	}
	unassigned, err := ip.Prefix(16)
	return Place{unassigned, reserved}, err == nil
}

// Closed judges the address that is to be dialled: no name is between it and the dial. What is not on the internet
// needs a rule that says so, by allows: one that lies within the range which is closed. So a rule for 10.0.0.0/8 does
// not open this host's own address in it, and none opens the loopback by being wide.
func Closed(ip netip.Addr, allows func(Place) bool) (Place, bool, error) {
	place, is := Find(ip)
	if is && place.Never() {
		return place, true, nil
	}
	own, isOwn, err := Own(ip)
	switch {
	case err != nil:
		return Place{}, true, err
	case isOwn && place.Range.Bits() < own.Range.Bits() && !ip.IsLoopback():
		place, is = own, true
	}
	return place, is && !allows(place), nil
}

// Own finds an address of this host itself, whatever its range. An address that comes or goes is noticed within a
// second: asking takes as long as several connections.
func Own(ip netip.Addr) (Place, bool, error) {
	ip = ip.Unmap().WithZone("")
	addrs, err := hostAddrs()
	if err != nil {
		return Place{}, false, err
	}
	_, is := addrs[ip]
	return Place{netip.PrefixFrom(ip, ip.BitLen()), own}, is, nil
}

var cache struct {
	sync.Mutex
	addrs map[netip.Addr]struct{}
	until time.Time
}

func hostAddrs() (map[netip.Addr]struct{}, error) {
	cache.Lock()
	defer cache.Unlock()
	if time.Now().Before(cache.until) {
		return cache.addrs, nil
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("read this host's addresses: %w", err)
	}
	addrs := make(map[netip.Addr]struct{}, len(list))
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			addrs[p.Addr().Unmap().WithZone("")] = struct{}{}
		}
	}
	cache.addrs, cache.until = addrs, time.Now().Add(time.Second)
	return addrs, nil
}

// Places are all ranges that are not on the internet.
func Places() []Place { return slices.Clone(places) }

// OwnAll are the addresses of this host itself.
func OwnAll() ([]netip.Addr, error) {
	addrs, err := hostAddrs()
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Keys(addrs), netip.Addr.Compare), nil
}

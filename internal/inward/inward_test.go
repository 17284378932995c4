package inward_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/nodeos-dev/gitd/internal/inward"
)

func TestFind(t *testing.T) {
	for _, s := range []string{
		"127.0.0.1", "127.255.0.1", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.0.1", "198.51.100.1",
		"203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1",
		"2002:7f00:1::", "2001::1", "2001:db8::1", "2001:2::1", "3fff::1", "100::1", "4000::1", "5f00::1",
	} {
		if _, is := inward.Find(netip.MustParseAddr(s)); !is {
			t.Errorf("%s is taken for one on the internet", s)
		}
	}
	for _, s := range []string{
		"1.1.1.1", "104.16.0.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1",
	} {
		if p, is := inward.Find(netip.MustParseAddr(s)); is {
			t.Errorf("%s is taken for %s", s, p.What)
		}
	}
	if _, is := inward.Find(netip.Addr{}); !is {
		t.Error("no address is taken for one on the internet")
	}
}

// TestOwn: each address of this host is found, in both of its forms.
func TestOwn(t *testing.T) {
	own, err := net.InterfaceAddrs()
	if err != nil || len(own) == 0 {
		t.Fatal("this host has no addresses: ", err)
	}
	for _, a := range own {
		ip := netip.MustParsePrefix(a.String()).Addr()
		for _, form := range []netip.Addr{ip, netip.AddrFrom16(ip.As16())} {
			if _, is, err := inward.Own(form); !is || err != nil {
				t.Errorf("this host's own %s is not found: %v", form, err)
			}
		}
	}
	if _, is, err := inward.Own(netip.MustParseAddr("1.1.1.1")); is || err != nil {
		t.Errorf("1.1.1.1 is this host's own: %v, %v", is, err)
	}
}

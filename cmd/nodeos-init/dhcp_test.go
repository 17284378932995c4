package main

import (
	"encoding/binary"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
)

var card = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}

// offer is what a server answers to the request 7 of card.
func offer(options ...byte) []byte {
	b := dhcpText(dhcpDiscover, 7, card, "", nil, nil)[:dhcpHead]
	b[0] = 2
	copy(b[16:], []byte{10, 0, 2, 15})
	return append(b, options...)
}

func TestParseDHCP(t *testing.T) {
	full := offer(optKind, 1, dhcpACK, 0, optMask, 4, 255, 255, 255, 0, optRouter, 8, 10, 0, 2, 2, 10, 0, 2, 9,
		optDNS, 8, 10, 0, 2, 3, 1, 1, 1, 1, optSeconds, 4, 0, 0, 0x0e, 0x10, optEnd, 1, 2)
	m, ok := parseDHCP(full, 7, card)
	want := guest.Network{Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3", "1.1.1.1"}}
	if got := m.network(); !ok || m.kind != dhcpACK || !reflect.DeepEqual(got, want) || m.renewal() != 30*time.Minute {
		t.Errorf("got %+v, %v, %s", got, ok, m.renewal())
	}
	bare, ok := parseDHCP(offer(optKind, 1, dhcpOffer), 7, card)
	if got := bare.network(); !ok || !reflect.DeepEqual(got, guest.Network{Address: "10.0.2.15/32"}) || bare.renewal() != dhcpLongest {
		t.Errorf("without options: %+v, %v, %s", got, ok, bare.renewal())
	}
	request := offer(optKind, 1, dhcpACK)
	request[0] = 1
	unspecified := offer(optKind, 1, dhcpACK)
	copy(unspecified[16:], make([]byte, 4))
	for name, b := range map[string][]byte{
		"nothing": nil, "short": full[:200], "a request": request, "no address": unspecified,
		"no kind": offer(optMask, 4, 255, 255, 255, 0), "an option that is cut off": offer(optKind, 1, dhcpACK, optMask, 4, 255),
		"an option without a length": offer(optKind, 1, dhcpACK, optMask),
	} {
		if _, ok := parseDHCP(b, 7, card); ok {
			t.Errorf("%s is taken", name)
		}
	}
	if _, ok := parseDHCP(full, 8, card); ok {
		t.Error("the answer to another request is taken")
	}
	if _, ok := parseDHCP(full, 7, net.HardwareAddr{1, 2, 3, 4, 5, 6}); ok {
		t.Error("the answer to another machine is taken")
	}
	if m, ok := parseDHCP(offer(optKind, 1, dhcpNAK), 7, card); !ok || m.kind != dhcpNAK {
		t.Error("a refusal is not understood")
	}
}

func TestDHCPText(t *testing.T) {
	b := dhcpText(dhcpRequest, 7, card, "shop", []byte{10, 0, 2, 15}, []byte{10, 0, 2, 2})
	if b[0] != 1 || binary.BigEndian.Uint32(b[4:]) != 7 || b[10]&0x80 == 0 || string(b[28:34]) != string(card) {
		t.Errorf("the head is % x", b[:34])
	}
	want := []byte{optKind, 1, dhcpRequest, optAddress, 4, 10, 0, 2, 15, optServer, 4, 10, 0, 2, 2,
		optHostname, 4, 's', 'h', 'o', 'p', optWanted, 4, optMask, optRouter, optDNS, optSeconds, optEnd}
	if !reflect.DeepEqual(b[dhcpHead:], want) {
		t.Errorf("the options are % x", b[dhcpHead:])
	}
}

// FuzzDHCP: whatever arrives on the network, what is made of it can be given to an interface.
func FuzzDHCP(f *testing.F) {
	f.Add(offer(optKind, 1, dhcpACK, optMask, 4, 255, 0, 255, 0, optRouter, 3, 1, 2, 3, optDNS, 5, 1, 2, 3, 4, 5, optSeconds, 4, 255, 255, 255, 255))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseDHCP(b, 7, card)
		if !ok || m.kind == dhcpNAK {
			return
		}
		n := m.network()
		if _, _, err := net.ParseCIDR(n.Address); err != nil {
			t.Error(err)
		}
		if _, err := resolver(n.DNS); err != nil || n.Gateway != "" && net.ParseIP(n.Gateway) == nil {
			t.Errorf("%+v: %v", n, err)
		}
		if r := m.renewal(); r < dhcpAgain || r > dhcpLongest {
			t.Errorf("renews after %s", r)
		}
	})
}

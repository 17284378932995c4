package main

import (
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// What the filter does is tested in a real guest (internal/libvirt). This test is about networks for which no filter
// can be made.
func TestEgressProgram(t *testing.T) {
	good := guest.Network{Address: "10.0.2.15/24", DNS: []string{"10.0.2.3", "fe80::1"}, Closed: []string{"10.0.2.0/24"}}
	p, err := egressProgram(good)
	if err != nil {
		t.Fatal(err)
	}
	code, err := p.assemble()
	if err != nil || len(code) != len(p.code)*instructionSize {
		t.Errorf("assemble: %d bytes, %v", len(code), err)
	}
	if filters, err := filtersFor(good); err != nil || len(filters) != 3 {
		t.Errorf("%d filters, %v", len(filters), err)
	}
	for name, n := range map[string]guest.Network{
		"IPv6":        {Address: good.Address, Closed: []string{"fe80::/64"}},
		"no prefix":   {Address: good.Address, Closed: []string{"10.0.2.2"}},
		"own address": {Address: "10.0.2.15", Closed: good.Closed},
	} {
		if _, err := egressProgram(n); err == nil || !strings.Contains(err.Error(), "no IPv4 prefix") {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.jump("drop")
	if _, err := p.assemble(); err == nil {
		t.Error("a jump back was assembled; the kernel refuses loops")
	}
}

package offer

import (
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestHostPort reads ports as people type them.
func TestHostPort(t *testing.T) {
	for text, want := range map[string]HostPort{
		"5432": {Host: 5432, Port: 5432}, "15432:5432": {Host: 15432, Port: 5432}, "443:8443": {Host: 443, Port: 8443},
	} {
		if p, err := ParseHostPort(text); err != nil || p != want || p.String() != text {
			t.Errorf("%s: %+v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", ":", "80", "5432:80", "0", "65536", "-1", "5432:", ":5432", "5432:5432:1", "+5432", "05432", "tcp"} {
		if p, err := ParseHostPort(text); err == nil {
			t.Errorf("%q: %+v", text, p)
		}
	}
	for text, want := range map[string]Range{"5000-5999": {5000, 5999}, "5432": {5432, 5432}} {
		if r, err := ParseRange(text); err != nil || r != want {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "-", "5999-5000", "5000-", "-5000", "0-5", "5000-70000", "5000-5001-5002"} {
		if r, err := ParseRange(text); err == nil {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

// TestOffer: what a linked app reaches, by the port that it asks for.
func TestOffer(t *testing.T) {
	web := Offer{Web: 3000, Expose: core.Expose{TCP: []int{5432}, Internal: []int{6379}}}
	db := Offer{Web: 5432, Expose: core.Expose{Internal: []int{5432}, NoHTTP: true}}
	for _, c := range []struct {
		o        Offer
		ask, get int
	}{
		{web, 80, 3000}, {web, 3000, 3000}, {web, 5432, 5432}, {web, 6379, 6379}, {web, 22, 0}, {db, 80, 0}, {db, 5432, 5432},
		{Offer{}, 80, 0}, {Offer{}, 0, 0},
	} {
		if got, ok := c.o.Port(c.ask); got != c.get || ok != (c.get > 0) {
			t.Errorf("%+v: port %d leads to %d, %t", c.o, c.ask, got, ok)
		}
	}
	if web.Text() != "80, 3000, 5432, 6379" || db.Text() != "5432" || (Offer{}).Text() != "no port" {
		t.Errorf("%s; %s; %s", web.Text(), db.Text(), Offer{}.Text())
	}
}

package core

import (
	"fmt"
	"slices"

	"github.com/nodeos-dev/gitd/internal/units"
)

// Network is what an operator has set for the network of an app, in addition to what holds for all apps.
type Network struct {
	Rules []EgressRule // beside those of all apps, in the order of their addresses
	Rate  int64        // bytes in a second; 0: as for all apps; NoRate: no limit
	Links []LinkEnd    // to other apps; changed by links alone
}

// NoRate is the rate of an app that may send as fast as it can.
const NoRate = -1

// MaxEgressRules bounds the rules of one app.
const MaxEgressRules = 64

// ParseRate reads how much a machine may send in a second: "50M", "1G", or "none" for no limit.
func ParseRate(s string) (int64, error) {
	if s == "none" {
		return NoRate, nil
	}
	n, err := units.ParseBytes(s)
	if err != nil {
		return 0, Reject(fmt.Sprintf("%.20q is no rate", s), "write how many bytes in a second, in units of 1024: 50M, 1G, or none for no limit")
	}
	return n, nil
}

// RateString is a rate for people; all is what 0 stands for.
func RateString(rate, all int64) string {
	if rate == 0 {
		rate = all
	}
	if rate <= 0 {
		return "no limit"
	}
	return units.Bytes(rate) + "/s"
}

// Allow adds a rule, and reports whether it is new.
func (n *Network) Allow(r EgressRule) (bool, error) {
	if slices.Contains(n.Rules, r) {
		return false, nil
	}
	if len(n.Rules) == MaxEgressRules {
		return false, Reject(fmt.Sprintf("an app has at most %d rules", MaxEgressRules), "one rule can be of a whole range: 10.0.0.0/8")
	}
	n.Rules = append(n.Rules, r)
	slices.SortFunc(n.Rules, func(a, b EgressRule) int {
		if c := a.Range.Addr().Compare(b.Range.Addr()); c != 0 {
			return c
		}
		if a.Range.Bits() != b.Range.Bits() {
			return a.Range.Bits() - b.Range.Bits()
		}
		return int(a.Port) - int(b.Port)
	})
	return true, nil
}

// Deny takes a rule away, and reports whether there was one.
func (n *Network) Deny(r EgressRule) bool {
	before := len(n.Rules)
	n.Rules = slices.DeleteFunc(n.Rules, func(have EgressRule) bool { return have == r })
	return len(n.Rules) < before
}

// Egress is what a machine of the app may reach, and how fast; all is what every app may.
func (n Network) Egress(all Egress) Egress {
	e := Egress{Rules: slices.Clone(all.Rules), Rate: all.Rate, Links: n.Links}
	for _, r := range n.Rules {
		if !slices.Contains(e.Rules, r) {
			e.Rules = append(e.Rules, r)
		}
	}
	if n.Rate != 0 {
		e.Rate = max(n.Rate, 0)
	}
	return e
}

package core_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func rule(t *testing.T, text string) core.EgressRule {
	t.Helper()
	r, err := core.ParseEgressRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNetworkRules(t *testing.T) {
	var n core.Network
	for _, tt := range []struct {
		text  string
		isNew bool
	}{{"10.0.0.5:5432", true}, {"[fd00::]/8", true}, {"10.0.0.0/8", true}, {"10.0.0.5/32:5432", false}, {"10.0.0.5", true}} {
		if isNew, err := n.Allow(rule(t, tt.text)); err != nil || isNew != tt.isNew {
			t.Errorf("%s: %t, %v", tt.text, isNew, err)
		}
	}
	if got := fmt.Sprint(n.Rules); got != "[10.0.0.0/8 10.0.0.5 10.0.0.5:5432 [fd00::]/8]" {
		t.Errorf("in their order: %s", got)
	}
	if !n.Deny(rule(t, "10.0.0.5")) || n.Deny(rule(t, "10.0.0.5")) || n.Deny(rule(t, "10.0.0.6")) || len(n.Rules) != 3 {
		t.Errorf("taken away: %s", n.Rules)
	}
	for i := len(n.Rules); i < core.MaxEgressRules; i++ {
		if _, err := n.Allow(rule(t, fmt.Sprintf("10.1.0.%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err := n.Allow(rule(t, "10.2.0.1"))
	if _, ok := errors.AsType[*core.Rejection](err); !ok || len(n.Rules) != core.MaxEgressRules {
		t.Errorf("one too many: %v, %d rules", err, len(n.Rules))
	}
}

func TestNetworkEgress(t *testing.T) {
	all := core.Egress{Rules: []core.EgressRule{rule(t, "10.0.0.0/8")}, Rate: 100 << 20}
	n := core.Network{Rules: []core.EgressRule{rule(t, "10.0.0.0/8"), rule(t, "[::1]:80")}}
	if got := n.Egress(all); fmt.Sprint(got.Rules) != "[10.0.0.0/8 [::1]:80]" || got.Rate != all.Rate || len(all.Rules) != 1 {
		t.Errorf("%+v", got)
	}
	for rate, want := range map[int64]int64{0: 100 << 20, core.NoRate: 0, 1 << 20: 1 << 20} {
		if got := (core.Network{Rate: rate}).Egress(all); got.Rate != want {
			t.Errorf("rate %d: %d", rate, got.Rate)
		}
	}
}

func TestRates(t *testing.T) {
	for text, want := range map[string]int64{"50M": 50 << 20, "1G": 1 << 30, "none": core.NoRate} {
		if got, err := core.ParseRate(text); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "0M", "-1M", "100", "1.5M", "fast", "100Mbit", "100M/s"} {
		if got, err := core.ParseRate(text); err == nil || got != 0 {
			t.Errorf("%q: %d", text, got)
		}
	}
	for _, tt := range []struct {
		rate, all int64
		want      string
	}{{50 << 20, 0, "50 MiB/s"}, {0, 100 << 20, "100 MiB/s"}, {core.NoRate, 100 << 20, "no limit"}, {0, 0, "no limit"}} {
		if got := core.RateString(tt.rate, tt.all); got != tt.want {
			t.Errorf("%d of %d: %s", tt.rate, tt.all, got)
		}
	}
}

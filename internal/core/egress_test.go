package core_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestEgressRules(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.0/8": "10.0.0.0/8", "10.0.0.5": "10.0.0.5", "10.0.0.5/32": "10.0.0.5", "10.0.0.5:5432": "10.0.0.5:5432",
		"192.168.0.0/16:443": "192.168.0.0/16:443", "127.0.0.1:5432": "127.0.0.1:5432", "8.8.8.8": "8.8.8.8",
		"[fd00::]/8": "[fd00::]/8", "fd00::/8": "[fd00::]/8", "[fd00::5]:443": "[fd00::5]:443", "[fd00::5]": "[fd00::5]",
		"[FD00:0::5]/128": "[fd00::5]", "fd00::/8:443": "[fd00::]/8:443", "[fc00::]/7": "[fc00::]/7", "[::1]:80": "[::1]:80",
	} {
		r, err := core.ParseEgressRule(text)
		if err != nil || r.String() != want {
			t.Errorf("%q: %q, %v", text, r, err)
		}
	}
}

// TestEgressRulesRefused: each answer names the rule that was typed, and has a line to type.
func TestEgressRulesRefused(t *testing.T) {
	for text, says := range map[string]string{
		"": "no address", "all": "names a host", "db.internal:5432": "names a host", "10.0.0.5:http": "no port", "10.0.0.5:": "no port",
		"10.0.0.5:0": "no port", "10.0.0.5:080": "no port", "10.0.0.5:65536": "no port", "10.0.0.5:+1": "no port",
		"10.0.0.5/8":  "write 10.0.0.0/8 or 10.0.0.5",
		"[fd00::5]/8": "write [fd00::]/8 or [fd00::5]", "10.0.0.5/8:22": "write 10.0.0.0/8:22 or 10.0.0.5:22",
		"10.0.0.0/33": "no length", "10.0.0.0/": "no length", "10.0.0.0/08": "no length", "[fd00::]/129": "no length",
		"0.0.0.0/0": "wider than any private network", "10.0.0.0/7": "wider than", "[::]/0": "wider than", "[fc00::]/6": "wider than",
		"fd00::5": "write [fd00::5], or [fd00::5]:PORT", "fd00::5:443": "does not show where its address ends",
		"[::ffff:10.0.0.5]": "write 10.0.0.5", "::ffff:10.0.0.0/104": "write 10.0.0.0",
		"[fe80::1%eth0]": "no address", "[10.0.0.5]:80": "is no address", "[fd00::5": "is no address", "[fd00::5]443": "is no address",
		"10.0.0.5 ": "no address", "10.0.0.5,10.0.0.6": "no address", "10.0.0.5-10.0.0.9": "no address", "010.0.0.5": "no address",
		"tcp://10.0.0.5:80": "no address", "10.0.0.5\n": "no address", "10.0.0.0/255.0.0.0": "no length",
	} {
		r, err := core.ParseEgressRule(text)
		if j, ok := errors.AsType[*core.Rejection](err); !ok || r != (core.EgressRule{}) || !strings.Contains(j.Reason, says) || j.Hint == "" {
			t.Errorf("%q: %v, %v; want %q", text, r, err, says)
		}
	}
}

func TestEgressAllows(t *testing.T) {
	for _, tt := range []struct {
		rule, dst string
		want      bool
	}{
		{"10.0.0.0/8", "10.200.3.4:22", true},
		{"10.0.0.0/8", "[::ffff:10.200.3.4]:22", true},
		{"10.0.0.0/8", "11.0.0.1:22", false},
		{"10.0.0.5:5432", "10.0.0.5:5432", true},
		{"10.0.0.5:5432", "10.0.0.5:22", false},
		{"10.0.0.5:5432", "10.0.0.6:5432", false},
		{"[fd00::]/8", "[fd12::1]:443", true},
		{"[fd00::]/8", "[fe80::1]:443", false},
		{"[fe80::]/10", "[fe80::1%eth0]:443", true},
		{"[fd00::]/8", "10.0.0.1:443", false},
	} {
		r, err := core.ParseEgressRule(tt.rule)
		dst := netip.MustParseAddrPort(tt.dst)
		if got := r.Allows(dst); err != nil || got != tt.want {
			t.Errorf("%s to %s: %v, %v", tt.rule, tt.dst, got, err)
		}
		if got := (core.Egress{Rules: []core.EgressRule{r}}).Allows(dst); got != tt.want {
			t.Errorf("the rules of an app, %s to %s: %v", tt.rule, tt.dst, got)
		}
	}
	if dst := netip.MustParseAddrPort("10.0.0.1:1"); (core.EgressRule{}).Allows(dst) || (core.Egress{}).Allows(dst) {
		t.Error("what is no rule allows something")
	}
}

// FuzzParseEgressRule: what is read is written in one form, which reads back as the same; and a rule never opens more
// than its widest range.
func FuzzParseEgressRule(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "10.0.0.5:5432", "[fd00::]/8:443", "fd00::/8", "[::ffff:1.2.3.4]", "0.0.0.0/0", "[fe80::1%x]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := core.ParseEgressRule(s)
		if err != nil {
			if r != (core.EgressRule{}) {
				t.Errorf("%q: %v beside %v", s, r, err)
			}
			return
		}
		text, err := json.Marshal(r)
		var back core.EgressRule
		if err != nil || json.Unmarshal(text, &back) != nil || back != r {
			t.Errorf("%q is written %s, and reads back as %v", s, text, back)
		}
		if !r.Range.Addr().Is4() && !r.Range.Addr().Is6() || r.Range.Addr().Is4In6() || r.Range.Bits() < 7 || r.Range != r.Range.Masked() {
			t.Errorf("%q opens %v", s, r.Range)
		}
	})
}

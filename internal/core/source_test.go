package core

import (
	"strings"
	"testing"
)

func TestParseSource(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "203.0.113.7/32": "203.0.113.7", "203.0.113.0/24": "203.0.113.0/24",
		"2001:db8::/32": "2001:db8::/32", "2001:DB8::1": "2001:db8::1", "::ffff:203.0.113.7": "203.0.113.7",
		"0.0.0.0/0": "0.0.0.0/0",
	} {
		p, err := ParseSource(text)
		if err != nil || SourceText(p) != want {
			t.Errorf("%s: %s, %v", text, SourceText(p), err)
		}
	}
	for text, why := range map[string]string{
		"": "no address", "office": "no address", "203.0.113.7:80": "no address", "fe80::1%eth0": "no address",
		"203.0.113.0/33": "no address", "203.0.113.7/24": "write 203.0.113.0/24 or 203.0.113.7",
		"::ffff:203.0.113.0/120": "write it as IPv4",
	} {
		if _, err := ParseSource(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

package core

import (
	"strings"
	"testing"
)

func TestCheckHost(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 61)+".", 4)
	for _, host := range []string{"example.org", "www.example.org", "xn--bcher-kva.example", "1.example.org", "a-b.co", "localhost.example.org", long + "abcde"} {
		if err := CheckHost(host, "localhost"); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{
		"", "com", "example.org.", ".example.org", "a..b", "-a.org", "a-.org", "A.org", "bücher.example", "*.example.org",
		"example.org:80", "http://example.org", "example.org/x", "a b.org", "a_b.org", "a.org\n", "127.0.0.1", "1.2",
		"::1", "shop.localhost", "x.shop.localhost", strings.Repeat("a", 64) + ".org", long + "abcdefg",
	} {
		if err := CheckHost(host, "localhost"); err == nil {
			t.Errorf("%q is accepted", host)
		}
	}
	if err := CheckHost("apps.example.org", "apps.example.org"); err == nil {
		t.Error("gitd's own domain is accepted")
	}
}

// TestCheckDomain: `--domain bad_domain!` was taken, and no app could be reached.
func TestCheckDomain(t *testing.T) {
	fits := strings.Repeat(strings.Repeat("a", 51)+".", 4) + "abcd"
	for _, domain := range []string{"localhost", "example.org", "apps.example.org", "xn--bcher-kva.example", "10.example.org", "lan", fits} {
		if err := CheckDomain(domain); err != nil {
			t.Errorf("%s: %v", domain, err)
		}
	}
	for _, domain := range []string{
		"", "bad_domain!", "Example.org", "example.org.", ".example.org", "a..b", "-a.org", "example.org:80", "http://example.org",
		"*.example.org", "10.0.0.1", "1", "::1", "bücher.example", "a\n", fits + "a",
	} {
		if err := CheckDomain(domain); err == nil {
			t.Errorf("%q is accepted", domain)
		}
	}
	if err := CheckName(strings.Repeat("a", longestName+1)); err == nil || CheckName(strings.Repeat("a", longestName)) != nil {
		t.Errorf("an app's name has at most %d bytes here, and elsewhere in CheckName", longestName)
	}
}

package proxy

import (
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// hostKind says what a Host header names.
type hostKind int

const (
	hostUnknown hostKind = iota // nothing that is served here
	hostBare                    // the domain itself
	hostApp                     // a name that an app could have
)

// appOf finds the app that a Host header names. Case, one trailing dot and any port make no difference.
func (p *Proxy) appOf(host string) (app string, kind hostKind) {
	name, ok := withoutPort(host)
	if !ok {
		return "", hostUnknown
	}
	name = strings.TrimSuffix(lowerASCII(name), ".")
	if app, kind := below(name, p.domain); kind != hostUnknown {
		return app, kind
	}
	if app, ok := p.table.byName(name); ok {
		return app, hostApp
	}
	return "", hostUnknown
}

// below finds the app whose own host, below domain, is name.
func below(name, domain string) (app string, kind hostKind) {
	if name == domain {
		return "", hostBare
	}
	app, ok := strings.CutSuffix(name, "."+domain)
	if !ok || core.CheckName(app) != nil {
		return "", hostUnknown
	}
	return app, hostApp
}

// withoutPort cuts ":PORT". It refuses an IPv6 address, which has more colons and names no app. Rejected:
// net.SplitHostPort, which fails on a host without a port, and this failure cannot be told from others.
func withoutPort(host string) (name string, ok bool) {
	name, port, found := strings.Cut(host, ":")
	if !found {
		return host, true
	}
	digits := strings.Trim(port, "0123456789") == ""
	return name, digits && len(port) <= 5
}

// lowerASCII changes ASCII letters only: the Kelvin sign must not become a k.
func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}

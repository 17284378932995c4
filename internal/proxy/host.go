package proxy

import (
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// hostKind says what a Host header names.
type hostKind int

const (
	hostUnknown hostKind = iota // nothing of ours
	hostBare                    // the domain itself
	hostApp                     // a name that an app could have
)

// appOf finds the app that a Host header names. Case, one trailing dot and any
// port are of no meaning.
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

// below finds the app whose own name below the domain name is.
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

// withoutPort cuts ":PORT". An IPv6 address has more colons and is no name of
// ours anyway. net.SplitHostPort was not used: it fails on a host without
// port, and the two failures cannot be told apart.
func withoutPort(host string) (name string, ok bool) {
	name, port, found := strings.Cut(host, ":")
	if !found {
		return host, true
	}
	digits := strings.Trim(port, "0123456789") == ""
	return name, digits && len(port) <= 5
}

// lowerASCII leaves other letters alone: the Kelvin sign must not become a k.
func lowerASCII(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return c
	}, s)
}

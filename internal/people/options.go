package people

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"time"
)

// This file is the options that may stand before a public key: authorized_keys(5). What an option asks for holds, or
// the key is refused: a limit that its owner wrote down must not vanish without a word.

// holdAnyway are options that ask for what nobody has here: gitd forwards nothing and runs no file of a user's.
var holdAnyway = map[string]bool{
	"no-port-forwarding": true, "no-agent-forwarding": true, "no-x11-forwarding": true, "no-user-rc": true,
}

// options adds to k what its line says before the key.
func (k *Key) options(all []string, now time.Time) error {
	for _, o := range all {
		name, value, _ := strings.Cut(o, "=")
		value = strings.Trim(value, `"`)
		var err error
		switch name := strings.ToLower(name); {
		case holdAnyway[name]:
		case name == "from":
			k.From, err = ParseSources(value)
		case name == "expiry-time":
			k.Expires, err = parseExpiryTime(value, now)
		default:
			err = fmt.Errorf("the option %.40q before the key means nothing here, and it may be a limit that is meant: take it away; "+
				"from= and expiry-time= are heeded, and `keys:add --app` limits a key to one app", name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseExpiryTime reads YYYYMMDD[HHMM[SS]], with a Z at the end or without: here it is UTC in both cases.
func parseExpiryTime(s string, now time.Time) (time.Time, error) {
	digits := strings.TrimSuffix(s, "Z")
	for _, form := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.Parse(form, digits); err == nil && len(digits) == len(form) {
			return inFuture(t, now)
		}
	}
	return time.Time{}, fmt.Errorf("cannot read expiry-time=%.40q: it is YYYYMMDD or YYYYMMDDHHMM", s)
}

// maxSources bounds a list of addresses, in bytes.
const maxSources = 1024

// ParseSources checks a list of addresses as from= has it, and returns it without what means nothing.
func ParseSources(list string) (string, error) {
	var good []string
	positive := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern = strings.ToLower(strings.TrimSpace(pattern))
		bare, negated := strings.CutPrefix(pattern, "!")
		if _, err := matchSource(bare, netip.IPv4Unspecified()); err != nil {
			return "", err
		}
		positive = positive || !negated
		good = append(good, pattern)
	}
	if list = strings.Join(good, ","); len(list) > maxSources {
		return "", fmt.Errorf("the list of addresses in from= is longer than %d bytes", maxSources)
	}
	if !positive {
		return "", errors.New("from= names only addresses from which the key is of no use: add those from which it is")
	}
	return list, nil
}

// matchSource reports whether addr is what a pattern means: an address, a prefix, or an address with * and ?.
func matchSource(pattern string, addr netip.Addr) (bool, error) {
	if p, err := netip.ParsePrefix(pattern); err == nil {
		return p.Contains(addr), nil
	}
	if a, err := netip.ParseAddr(pattern); err == nil {
		return a == addr, nil
	}
	if pattern == "" || strings.Trim(pattern, "0123456789abcdef.:*?") != "" || !strings.ContainsAny(pattern, "*?") {
		return false, fmt.Errorf("from= names %.60q: use addresses, prefixes such as 192.0.2.0/24, or patterns such as 192.0.2.*; "+
			"names of hosts are not looked up", pattern)
	}
	return path.Match(pattern, addr.String())
}

// AllowsFrom reports whether the key may be used from addr. As with OpenSSH, one pattern that is excluded excludes.
func (k Key) AllowsFrom(addr netip.Addr) bool {
	if k.From == "" {
		return true
	}
	addr = addr.Unmap().WithZone("")
	allowed := false
	for pattern := range strings.SplitSeq(k.From, ",") {
		bare, negated := strings.CutPrefix(pattern, "!")
		match, err := matchSource(bare, addr)
		if err != nil || match && negated {
			return false
		}
		allowed = allowed || match
	}
	return allowed
}

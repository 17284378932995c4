package core

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Egress is what a machine may reach beside the public internet, and how fast it may send.
type Egress struct {
	Rules []EgressRule // no rule: nothing beside it
	Rate  int64        // bytes in a second that the machine may send; 0: no limit
	Links []LinkEnd    // other apps that it may reach
}

// EgressRule allows a machine what is closed to it otherwise: addresses of the host, of its links, and private ones. As
// text it is an address or a range, and perhaps a port: "10.0.0.0/8", "10.0.0.5:5432", "[fd00::]/8", "[fd00::5]:443".
// A rule is of TCP and of UDP. The zero rule allows nothing.
type EgressRule struct {
	Range netip.Prefix // without bits of a host; IPv4 as such, not within IPv6
	Port  uint16       // 0: every port
}

// The widest range of a rule. Private networks have no wider one, and a wider one would hold the host's own loopback
// without naming it.
const (
	minEgressBits4 = 8 // 10.0.0.0/8
	minEgressBits6 = 7 // fc00::/7
)

// egressHint is what to type in place of a rule that is none.
const egressHint = "write an address or a range, and perhaps a port: 10.0.0.5:5432, 10.0.0.0/8, [fd00::5]:443, [fd00::]/8"

// ParseEgressRule reads a rule as people type it. What is none is a *Rejection. A range must be written without bits of
// a host: 10.0.0.5/8 may mean one machine or a network, and the difference is what a rule is for.
func ParseEgressRule(s string) (EgressRule, error) {
	refuse := func(format string, args ...any) (EgressRule, error) {
		return EgressRule{}, Reject(fmt.Sprintf("%.80q ", s)+fmt.Sprintf(format, args...), egressHint)
	}
	host, bits, port, ok := splitEgressRule(s)
	if !ok {
		return refuse("is no address, range or port")
	}
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && strings.ContainsFunc(host, isLetter) && !strings.Contains(host, ":"):
		return refuse("names a host, and a rule names addresses, which do not change under it")
	case err != nil || addr.Zone() != "":
		return refuse("has no address that a rule can name")
	case addr.Is4In6():
		return refuse("has an IPv4 address in IPv6: write %s", addr.Unmap())
	case addr.Is6() && !strings.HasPrefix(s, "[") && bits == "":
		return refuse("does not show where its address ends: write [%s], or [%[1]s]:PORT", addr)
	}
	r := EgressRule{Range: netip.PrefixFrom(addr, addr.BitLen())}
	if bits != "" {
		if r.Range, err = netip.ParsePrefix(addr.String() + bits); err != nil {
			return refuse("has no length of a range: write 8 to 32 after the slash for IPv4, and 7 to 128 for IPv6")
		}
	}
	if port != "" {
		if r.Port, ok = parsePort(port[1:]); !ok {
			return refuse("has no port: write 1 to 65535 after the colon")
		}
	}
	switch masked := r.Range.Masked(); {
	case r.Range.Bits() < minEgressBits(addr):
		return refuse("is wider than any private network; the public internet needs no rule")
	case masked != r.Range:
		return refuse("is the address of one machine and the length of a range: write %s or %s",
			EgressRule{masked, r.Port}, EgressRule{netip.PrefixFrom(addr, addr.BitLen()), r.Port})
	}
	return r, nil
}

// splitEgressRule takes a rule apart: "[fd00::]/8:443" is "fd00::", "/8" and ":443".
func splitEgressRule(s string) (host, bits, port string, ok bool) {
	var rest string
	switch {
	case strings.HasPrefix(s, "["):
		if host, rest, ok = strings.Cut(s[1:], "]"); !ok || !strings.Contains(host, ":") {
			return "", "", "", false
		}
	case strings.Contains(s, "/"):
		n := strings.IndexByte(s, '/')
		host, rest = s[:n], s[n:]
	case strings.Count(s, ":") == 1:
		n := strings.IndexByte(s, ':')
		host, rest = s[:n], s[n:]
	default:
		return s, "", "", true
	}
	if n := strings.IndexByte(rest, ':'); n >= 0 {
		rest, port = rest[:n], rest[n:]
	}
	return host, rest, port, rest == "" || rest[0] == '/'
}

func minEgressBits(a netip.Addr) int {
	if a.Is4() {
		return minEgressBits4
	}
	return minEgressBits6
}

// parsePort reads 1 to 65535, without a sign or leading zeros.
func parsePort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0 && s[0] != '0'
}

func isLetter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }

// String is the rule in the one form that ParseEgressRule reads back and that the ledger keeps: 10.0.0.5 for
// 10.0.0.5/32, and [fd00::]/8 for fd00::/8.
func (r EgressRule) String() string {
	if !r.Range.IsValid() {
		return ""
	}
	s := r.Range.Addr().String()
	if r.Range.Addr().Is6() {
		s = "[" + s + "]"
	}
	if !r.Range.IsSingleIP() {
		s += "/" + strconv.Itoa(r.Range.Bits())
	}
	if r.Port != 0 {
		s += ":" + strconv.Itoa(int(r.Port))
	}
	return s
}

// MarshalText writes the rule as String does.
func (r EgressRule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText has written.
func (r *EgressRule) UnmarshalText(text []byte) (err error) {
	*r, err = ParseEgressRule(string(text))
	return err
}

// Allows reports whether r allows to send to dst.
func (r EgressRule) Allows(dst netip.AddrPort) bool {
	return r.Range.IsValid() && r.Range.Contains(dst.Addr().Unmap().WithZone("")) && (r.Port == 0 || r.Port == dst.Port())
}

// Allows reports whether one of the rules allows to send to dst.
func (e Egress) Allows(dst netip.AddrPort) bool {
	return slices.ContainsFunc(e.Rules, func(r EgressRule) bool { return r.Allows(dst) })
}

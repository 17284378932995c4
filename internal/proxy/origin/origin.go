// Package origin says who has sent a request: the address, the scheme and the host that the client itself used, also
// when proxies stand between.
//
// It owns which headers of proxies are believed, and whose. It does not own what is done with the answer.
package origin

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Origin is where a request comes from.
type Origin struct {
	Client netip.Addr // without a zone, IPv4 as such; the zero Addr if the connection has no address
	Scheme string     // that the client used: "http" or "https"
	Host   string     // that the client asked for, as text from it
	Proxy  bool       // whether a trusted proxy has passed the request on
}

// Proxies are those whose headers are believed.
type Proxies []netip.Prefix

// Contains reports whether addr is one of them.
func (p Proxies) Contains(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// HasAddr is Contains for the address of a connection.
func (p Proxies) HasAddr(addr net.Addr) bool { return len(p) > 0 && p.Contains(address(addr.String())) }

// Of is the origin of r. Headers are looked at only if a trusted proxy has sent them.
func (p Proxies) Of(r *http.Request) Origin {
	o := Origin{Client: address(r.RemoteAddr), Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		o.Scheme = "https"
	}
	if len(p) == 0 || !p.Contains(o.Client) {
		return o
	}
	o.Proxy = true
	hops, scheme, host := claims(r.Header)
	o.Client = p.client(o.Client, hops)
	if scheme = strings.ToLower(scheme); scheme == "http" || scheme == "https" {
		o.Scheme = scheme
	}
	if isHost(host) {
		o.Host = host
	}
	return o
}

// claims are what the last proxy says: the addresses that the request has come by, the nearest last, and the scheme and
// host at the client. X-Forwarded-For is what most proxies write, so Forwarded (RFC 7239) counts only without it: a
// proxy that writes the one may pass the other on as it came from a client.
func claims(h http.Header) (hops []string, scheme, host string) {
	if list := h.Values("X-Forwarded-For"); len(list) > 0 {
		return elements(list), last(h.Values("X-Forwarded-Proto")), last(h.Values("X-Forwarded-Host"))
	}
	if list := h.Values("Forwarded"); len(list) > 0 {
		return forwarded(list)
	}
	return nil, last(h.Values("X-Forwarded-Proto")), last(h.Values("X-Forwarded-Host"))
}

// client is the nearest address that is not of a trusted proxy. What is no address ends the search: who stands behind
// it is not known, and the proxy that has written it is the nearest that is.
func (p Proxies) client(peer netip.Addr, hops []string) netip.Addr {
	at := peer
	for _, text := range slices.Backward(hops) {
		addr := address(text)
		if !addr.IsValid() {
			break
		}
		if at = addr; !p.Contains(at) {
			break
		}
	}
	return at
}

// forwarded reads RFC 7239: `for=192.0.2.1;proto=https, for="[2001:db8::1]:80"`. The scheme and the host are those of
// the last element.
func forwarded(lines []string) (hops []string, scheme, host string) {
	for _, element := range elements(lines) {
		hop := ""
		scheme, host = "", ""
		for pair := range strings.SplitSeq(element, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "for":
				hop = value
			case "proto":
				scheme = value
			case "host":
				host = value
			}
		}
		hops = append(hops, hop)
	}
	return hops, scheme, host
}

// elements are those of a list in one or more lines of a header.
func elements(lines []string) (all []string) {
	for _, line := range lines {
		for e := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(e))
		}
	}
	return all
}

func last(lines []string) string {
	if all := elements(lines); len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

// address reads an address, with a port or without: 192.0.2.1:80, [2001:db8::1], 2001:db8::1.
func address(text string) netip.Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// isHost reports whether text can be a Host header.
func isHost(text string) bool {
	return text != "" && len(text) <= 255 && !strings.ContainsFunc(text, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(".-_:[]", c))
	})
}

// Package offer is what of an app can be reached by TCP, and the ports of the host that lead there. Values only.
package offer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// WebAlias is where a linked app reaches the web port of another one, whatever that port is: it is that of
// http://APP.internal/.
const WebAlias = 80

// Offer is what of an app can be reached now, as its live release and the operator say.
type Offer struct {
	core.Expose
	Web   int        // where its machines listen; 0: nothing is live
	Hosts []HostPort // the host's ports that lead to it
}

// Port is where in a machine a linked app comes out that asks for port.
func (o Offer) Port(port int) (at int, ok bool) {
	web := o.Web > 0 && !o.NoHTTP
	switch {
	case slices.Contains(o.Ports(), port):
		return port, true
	case web && (port == WebAlias || port == o.Web):
		return o.Web, true
	}
	return 0, false
}

// First is the port that is meant when none is named: the first of TCP, or the web port; 0: there is none.
func (o Offer) First() int {
	if all := o.Ports(); len(all) > 0 {
		return all[0]
	}
	return o.Web
}

// Text says for people what a linked app can reach.
func (o Offer) Text() string {
	var all []string
	if o.Web > 0 && !o.NoHTTP {
		all = append(all, strconv.Itoa(WebAlias), strconv.Itoa(o.Web))
	}
	for _, p := range o.Ports() {
		if p != o.Web || o.NoHTTP {
			all = append(all, strconv.Itoa(p))
		}
	}
	if len(all) == 0 {
		return "no port"
	}
	return strings.Join(all, ", ")
}

// HostPort is a port of the host that leads to a port of an app's machines.
type HostPort struct {
	App   string
	Host  int
	Port  int  // in the machine
	Range bool // the app took it by a push, out of those that every app may have; otherwise an operator gave it
}

// String is the form in which people type it: 5432, or 15432:5432.
func (p HostPort) String() string {
	if p.Host == p.Port {
		return strconv.Itoa(p.Host)
	}
	return fmt.Sprintf("%d:%d", p.Host, p.Port)
}

// LowestPort is the lowest that an app can listen on in its machine, where it is an ordinary user.
const LowestPort = 1024

// ParseHostPort reads a port of the host, and perhaps another one of the app: "5432", "15432:5432".
func ParseHostPort(s string) (p HostPort, err error) {
	host, port, two := strings.Cut(s, ":")
	if !two {
		port = host
	}
	h, okHost := parse(host)
	a, okPort := parse(port)
	if !okHost || !okPort {
		return p, core.Reject(fmt.Sprintf("%.40q is no port", s), "write the port of this server, 5432, or also that of the app: 15432:5432")
	}
	if a < LowestPort {
		return p, core.Reject(fmt.Sprintf("an app cannot listen on port %d", a),
			fmt.Sprintf("its port is %d or above; write that of this server before it: %d:8443", LowestPort, h))
	}
	return HostPort{Host: int(h), Port: int(a)}, nil
}

// Range is the ports from First to Last.
type Range struct{ First, Last int }

// ParseRange reads "5000-5999", or one port.
func ParseRange(s string) (Range, error) {
	first, last, two := strings.Cut(s, "-")
	if !two {
		last = first
	}
	a, okFirst := parse(first)
	b, okLast := parse(last)
	if !okFirst || !okLast || b < a {
		return Range{}, core.Reject(fmt.Sprintf("%.40q is no range of ports", s), "write 5000-5999, or one port")
	}
	return Range{int(a), int(b)}, nil
}

// Has reports whether port is in the range.
func (r Range) Has(port int) bool { return r.First <= port && port <= r.Last }

// StillAllowed are those ports that an operator has given, and those that apps took out of ranges, if they are in them
// now.
func StillAllowed(ports []HostPort, ranges []Range) []HostPort {
	var all []HostPort
	for _, p := range ports {
		if !p.Range || slices.ContainsFunc(ranges, func(r Range) bool { return r.Has(p.Host) }) {
			all = append(all, p)
		}
	}
	return all
}

// Use is a port of the host that leads to an app, as it is now.
type Use struct {
	HostPort
	Why     string // why it is not open; empty: it is
	Now     int64  // connections
	Total   int64  // since it was opened
	Refused int64  // that were reset, because there were too many, or nothing to take them
	In, Out int64  // bytes of connections that have ended, to the app and from it
}

// parse reads 1 to 65535, without a sign or leading zeros.
func parse(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n > 0 && s[0] != '0'
}

package bridge

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/inward"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// The order of what libvirt's filters judge. The rules of a machine lie between those that all have: an address of the
// host itself is opened by a rule for that very address, a private one by any rule within its range.
const (
	first   = 100
	exact   = 200
	own     = 250
	within  = 300
	closed  = 400
	open    = 500
	nothing = 900
)

// filter is libvirt's description of one (nwfilter).
type filter struct {
	XMLName xml.Name `xml:"filter"`
	Name    string   `xml:"name,attr"`
	Chain   string   `xml:"chain,attr"`
	UUID    string   `xml:"uuid"`
	Refs    []ref    `xml:"filterref"`
	Rules   []rule   `xml:"rule"`
}

type ref struct {
	Filter string `xml:"filter,attr"`
}

type rule struct {
	Action    string `xml:"action,attr"`
	Direction string `xml:"direction,attr"` // out: what the guest sends; in: what it gets
	Priority  int    `xml:"priority,attr"`
	Match     *match `xml:",omitempty"`
}

// match is what a rule is about. nil: every frame.
type match struct {
	XMLName xml.Name // the protocol
	Not     string   `xml:"match,attr,omitempty"`
	SrcMAC  string   `xml:"srcmacaddr,attr,omitempty"`
	ARPMAC  string   `xml:"arpsrcmacaddr,attr,omitempty"`
	ARPSrc  string   `xml:"arpsrcipaddr,attr,omitempty"`
	ARPDst  string   `xml:"arpdstipaddr,attr,omitempty"`
	Src     string   `xml:"srcipaddr,attr,omitempty"`
	Dst     string   `xml:"dstipaddr,attr,omitempty"`
	DstMask string   `xml:"dstipmask,attr,omitempty"`
	DstPort string   `xml:"dstportstart,attr,omitempty"`
	State   string   `xml:"state,attr,omitempty"`
}

func on(protocol string, m match) *match {
	m.XMLName.Local = protocol
	return &m
}

// to is a match of what goes to a range, and to a port, unless it is 0.
func to(protocol string, r netip.Prefix, port uint16) *match {
	m := match{Dst: r.Masked().Addr().String(), DstMask: strconv.Itoa(r.Bits())}
	if port != 0 {
		m.DstPort = strconv.Itoa(int(port))
	}
	return on(protocol, m)
}

// common are the rules that all machines have.
//
// The first ones are of frames (ebtables). A guest sends from its own addresses of Ethernet and IPv4, asks by ARP for
// the host alone, and sends and gets nothing else: no IPv6, no VLAN. The others are of connections (iptables): the
// host connects to the guest, and the guest to the internet.
func (n *Net) common() ([]rule, error) {
	gateway := n.gateway().String()
	rules := []rule{
		{"drop", "out", -900, on("mac", match{Not: "no", SrcMAC: "$MAC"})},
		{"accept", "out", -800, on("arp", match{ARPMAC: "$MAC", ARPSrc: "$IP", ARPDst: gateway})},
		{"accept", "in", -800, on("arp", match{ARPSrc: gateway, ARPDst: "$IP"})},
		{"accept", "out", -700, on("ip", match{Src: "$IP"})},
		{"accept", "in", -700, on("ip", match{Dst: "$IP"})},
		{"drop", "inout", -600, nil},
		{"accept", "inout", first, on("all", match{State: "ESTABLISHED,RELATED"})},
		{"accept", "in", first, on("tcp", match{Src: gateway, State: "NEW"})},
		{"drop", "inout", nothing, on("all", match{})},
	}
	accept := func(priority int, m *match) { rules = append(rules, rule{"accept", "out", priority, m}) }
	refuse := func(priority int, m *match) { rules = append(rules, rule{"reject", "out", priority, m}) }
	for _, dns := range n.DNS {
		for _, protocol := range []string{"udp", "tcp"} {
			accept(first, to(protocol, netip.PrefixFrom(dns, 32), 53))
		}
	}
	addrs, err := inward.OwnAll()
	if err != nil {
		return nil, err
	}
	for _, a := range addrs {
		if a.Is4() && !a.IsLoopback() {
			refuse(own, to("all", netip.PrefixFrom(a, 32), 0))
		}
	}
	refuse(own, to("all", netip.PrefixFrom(n.gateway(), 32), 0))
	for _, p := range inward.Places() {
		if p.Range.Addr().Is4() {
			refuse(closed, to("all", p.Range, 0))
		}
	}
	for _, protocol := range []string{"tcp", "udp", "icmp"} {
		accept(open, on(protocol, match{}))
	}
	return rules, nil
}

// opened are the rules of one machine: what it may reach beside the internet.
func opened(e core.Egress) (rules []rule) {
	for _, r := range e.Rules {
		priority := within
		if r.Range.IsSingleIP() {
			priority = exact
		}
		place, is := inward.Find(r.Range.Addr())
		if !r.Range.Addr().Is4() || is && (place.Never() || r.Range.Bits() < place.Range.Bits()) {
			continue // it opens nothing in the other network either
		}
		for _, protocol := range []string{"tcp", "udp"} {
			rules = append(rules, rule{"accept", "out", priority, to(protocol, r.Range, r.Port)})
		}
	}
	return rules
}

// filter is the name of a machine's filter.
func (n *Net) filter(id string) string { return n.name + "-" + id }

func (n *Net) defineCommon(conn *libvirt.Connect) error {
	rules, err := n.common()
	if err != nil {
		return err
	}
	return define(conn, filter{Name: n.name, Rules: rules})
}

// define makes the filter of a machine, or changes it, which holds at once for what it connects to from then on.
func (n *Net) define(conn *libvirt.Connect, id string, e core.Egress) error {
	return define(conn, filter{Name: n.filter(id), Refs: []ref{{n.name}}, Rules: opened(e)})
}

func define(conn *libvirt.Connect, f filter) error {
	f.Chain, f.UUID = "root", uuid(f.Name)
	text, err := xml.Marshal(f)
	if err != nil {
		return err
	}
	made, err := conn.NWFilterDefineXML(string(text))
	if err != nil {
		return fmt.Errorf("libvirt's filter %s: %w", f.Name, err)
	}
	return made.Free()
}

// Restrict sets what a machine may reach.
func (n *Net) Restrict(ctx context.Context, id string, e core.Egress) error {
	if err := Refuse(e); err != nil {
		return err
	}
	return n.with(ctx, func(conn *libvirt.Connect) error { return n.define(conn, id, e) })
}

// sweep removes the filters of machines that are over; n.mu is held.
func (n *Net) sweep(conn *libvirt.Connect, run map[string]netip.Addr) error {
	all, err := conn.ListAllNWFilters(0)
	if err != nil {
		return fmt.Errorf("libvirt's filters: %w", err)
	}
	for _, f := range all {
		name, err := f.GetName()
		id, ours := strings.CutPrefix(name, n.name+"-")
		_, runs := run[id]
		_, boots := n.booting[id]
		if err == nil && ours && !runs && !boots {
			if err := f.Undefine(); err != nil && !session.IsCode(err, libvirt.ERR_OPERATION_INVALID) {
				n.Log.Warn().Err(err).Str("filter", name).Msg("a filter of a machine that is over stays")
			}
		}
		f.Free() //nolint:errcheck // only an invalid one fails
	}
	return nil
}

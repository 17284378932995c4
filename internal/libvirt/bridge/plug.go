package bridge

import (
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// Plug is where one machine is on the network.
type Plug struct {
	Net     string // libvirt's name of the network; empty: the machine has a network of its own
	MAC     string
	Filter  string // libvirt's name of the machine's filter
	Address string
	Guest   guest.Network // what the guest is told
}

// Door is how the machine is reached at a port of its guest: without a network of libvirt as it was.
func (p *Plug) Door(was string, port int) string {
	if p.Net == "" || port == 0 {
		return was
	}
	return net.JoinHostPort(p.Address, strconv.Itoa(port))
}

// Plug gives a machine an address and its filter. The address is the machine's from the moment that its domain is in
// libvirt's list; until then it is kept for it, and made tells when that is over.
func (n *Net) Plug(conn *libvirt.Connect, m core.MachineSpec) (p *Plug, made func(), err error) {
	if n == nil {
		return &Plug{Guest: wire.Network()}, func() {}, nil
	}
	if err := Refuse(m.Egress); err != nil {
		return nil, nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.ensure(conn); err != nil {
		return nil, nil, err
	}
	taken, err := n.plugs(conn)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(n.sweep(conn, taken), filtered(len(taken))); err != nil {
		return nil, nil, err
	}
	maps.Copy(taken, n.booting)
	addr, err := n.next(taken)
	if err != nil {
		return nil, nil, err
	}
	if err := n.define(conn, m.ID, m.Egress); err != nil {
		return nil, nil, err
	}
	n.last, n.booting[m.ID] = addr, addr
	return n.plug(m.ID, addr), func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.booting, m.ID)
	}, nil
}

func (n *Net) plug(id string, addr netip.Addr) *Plug {
	b := addr.As4()
	p := &Plug{
		Net: n.name, Filter: n.filter(id), Address: addr.String(), MAC: fmt.Sprintf("52:54:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3]),
		Guest: guest.Network{Address: netip.PrefixFrom(addr, n.Range.Bits()).String(), Gateway: n.gateway().String()},
	}
	for _, dns := range n.DNS {
		p.Guest.DNS = append(p.Guest.DNS, dns.String())
	}
	return p
}

// next is the address after the one that was given last. So one that was freed is the last to be given again: gitd may
// not have heard yet that its machine is over.
func (n *Net) next(taken map[string]netip.Addr) (netip.Addr, error) {
	used := slices.Collect(maps.Values(taken))
	first := n.gateway().Next()
	addr := n.last
	for range 1 << (32 - n.Range.Bits()) {
		addr = addr.Next()
		if !n.Range.Contains(addr.Next()) { // the last one is for all
			addr = first
		}
		if addr.Compare(first) >= 0 && !slices.Contains(used, addr) {
			return addr, nil
		}
	}
	return netip.Addr{}, core.Reject(fmt.Sprintf("all addresses of %s are in use by machines", n.Range), "give `gitd serve --network` a wider range")
}

// domain is what is read of libvirt's description of one.
type domain struct {
	Name       string `xml:"name"`
	Interfaces []struct {
		Source struct {
			Network string `xml:"network,attr"`
		} `xml:"source"`
		Filter struct {
			Parameters []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"parameter"`
		} `xml:"filterref"`
	} `xml:"devices>interface"`
}

// address is that of a domain on the network of that name.
func (d domain) address(network string) (netip.Addr, bool) {
	for _, i := range d.Interfaces {
		for _, p := range i.Filter.Parameters {
			if addr, err := netip.ParseAddr(p.Value); err == nil && i.Source.Network == network && p.Name == "IP" {
				return addr, true
			}
		}
	}
	return netip.Addr{}, false
}

// plugs are the addresses of all domains that run on the network.
func (n *Net) plugs(conn *libvirt.Connect) (map[string]netip.Addr, error) {
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	all := map[string]netip.Addr{}
	for _, dom := range domains {
		d, err := read(&dom)
		dom.Free() //nolint:errcheck // only an invalid one fails
		if session.IsCode(err, libvirt.ERR_NO_DOMAIN) {
			continue // it has just ended
		}
		if err != nil {
			return nil, err
		}
		if addr, is := d.address(n.name); is {
			all[d.Name] = addr
		}
	}
	return all, nil
}

func read(dom *libvirt.Domain) (d domain, err error) {
	text, err := dom.GetXMLDesc(0)
	if err != nil {
		return d, fmt.Errorf("read a domain: %w", err)
	}
	return d, xml.Unmarshal([]byte(text), &d)
}

// Of is what the guest of a machine that runs is to be told. One that gitd started before it had this network is not
// on it.
func (n *Net) Of(dom *libvirt.Domain) (guest.Network, error) {
	if n == nil {
		return wire.Network(), nil
	}
	d, err := read(dom)
	if err != nil {
		return guest.Network{}, err
	}
	if addr, is := d.address(n.name); is {
		return n.plug(d.Name, addr).Guest, nil
	}
	return wire.Network(), nil
}

// Package bridge puts machines on a network of libvirt: a bridge of the host, where each has an address that gitd gives
// it, nobody asks for one by DHCP, and the kernel carries the packets.
//
// It owns the network, the addresses on it, and what libvirt's filters let a machine send and get. It does not own the
// machines, nor the other network that they may have (package gateway), which is the default.
//
// Everything is asked of libvirt, so gitd needs no rights of its own, and nothing is kept beside: which addresses are
// taken, libvirt's list of domains says.
package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// Config says which network it is.
type Config struct {
	Range netip.Prefix // of IPv4; the first address is the host's; invalid: there is no network
	DNS   []netip.Addr // that machines ask for names
	Log   zerolog.Logger
}

// With calls f with a connection to libvirt.
type With func(ctx context.Context, f func(*libvirt.Connect) error) error

// Net is one network. Its methods are safe for concurrent use.
type Net struct {
	Config
	with With
	name string // of the network, its bridge, and the filter that all machines have

	mu      sync.Mutex // one machine at a time gets its address
	last    netip.Addr // that was given
	booting map[string]netip.Addr
	trouble string // what keeps machines from their network; empty: nothing
}

// New makes a Net, and nothing in libvirt yet: see Begin. Without a range it is nil, whose methods do nothing. owner is
// whose network it is: the path of a state folder.
func New(cfg Config, owner string, with With) *Net {
	if !cfg.Range.IsValid() {
		return nil
	}
	sum := sha256.Sum256([]byte(owner))
	return &Net{Config: cfg, with: with, name: "gitd" + hex.EncodeToString(sum[:4]), last: cfg.Range.Addr(), booting: map[string]netip.Addr{}}
}

// gateway is the host's own address on the network.
func (n *Net) gateway() netip.Addr { return n.Range.Masked().Addr().Next() }

// uuid is the same whenever the same thing is defined: libvirt replaces what has the name and the UUID.
func uuid(name string) string {
	sum := sha256.Sum256([]byte("gitd " + name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Begin makes the network, unless it is there, and the filter that all machines have. Without a network, n is nil.
func (n *Net) Begin(conn *libvirt.Connect) error {
	if n == nil {
		return nil
	}
	return errors.Join(n.ensure(conn), n.defineCommon(conn))
}

// network is libvirt's description of one.
type network struct {
	XMLName xml.Name `xml:"network"`
	Name    string   `xml:"name"`
	UUID    string   `xml:"uuid"`
	Forward struct {
		Mode string `xml:"mode,attr"`
	} `xml:"forward"`
	Bridge struct {
		Name  string `xml:"name,attr"`
		STP   string `xml:"stp,attr"`
		Delay int    `xml:"delay,attr"`
	} `xml:"bridge"`
	DNS struct {
		Enable string `xml:"enable,attr"`
	} `xml:"dns"`
	IP struct {
		Address string `xml:"address,attr"`
		Prefix  int    `xml:"prefix,attr"`
	} `xml:"ip"`
}

func (n *Net) network(bridge string) network {
	w := network{Name: n.name, UUID: uuid(n.name)}
	w.Forward.Mode = "nat"
	w.Bridge.Name, w.Bridge.STP = bridge, "off"
	w.DNS.Enable = "no" // with it, and without DHCP, libvirt starts no dnsmasq
	w.IP.Address, w.IP.Prefix = n.gateway().String(), n.Range.Bits()
	return w
}

// ensure has the network run. It is transient: libvirt forgets it when somebody destroys it, and gitd makes it again.
func (n *Net) ensure(conn *libvirt.Connect) error {
	want := n.network(n.name)
	found, err := conn.LookupNetworkByName(n.name)
	if session.IsCode(err, libvirt.ERR_NO_NETWORK) {
		return n.create(conn)
	}
	if err != nil {
		return fmt.Errorf("libvirt's network %s: %w", n.name, err)
	}
	defer found.Free() //nolint:errcheck // only an invalid one fails
	text, err := found.GetXMLDesc(0)
	var is network
	if err == nil {
		err = xml.Unmarshal([]byte(text), &is)
	}
	switch {
	case err != nil:
		return fmt.Errorf("libvirt's network %s: %w", n.name, err)
	case is.UUID != want.UUID:
		return core.Reject(fmt.Sprintf("libvirt has a network %s that this gitd has not made", n.name), "remove it: virsh net-destroy "+n.name+", virsh net-undefine "+n.name)
	case is.IP != want.IP:
		return n.replace(conn, found, is)
	}
	if active, err := found.IsActive(); err != nil || active {
		return err
	}
	return found.Create()
}

func (n *Net) create(conn *libvirt.Connect) error {
	bridge, err := n.freeBridge(conn)
	if err != nil {
		return err
	}
	text, err := xml.Marshal(n.network(bridge))
	if err != nil {
		return err
	}
	made, err := conn.NetworkCreateXML(string(text))
	if err != nil {
		return fmt.Errorf("make libvirt's network %s: %w", n.name, err)
	}
	n.Log.Info().Str("network", n.name).Stringer("range", n.Range).Msg("libvirt has a network for machines")
	return made.Free()
}

// replace makes the network anew, with another range, if no machine is on the one that there is.
func (n *Net) replace(conn *libvirt.Connect, old *libvirt.Network, is network) error {
	plugs, err := n.plugs(conn)
	if err != nil {
		return err
	}
	if len(plugs) > 0 {
		return core.Reject(fmt.Sprintf("%d machines are on %s/%d", len(plugs), is.IP.Address, is.IP.Prefix),
			"stop them first: `gitd halt`, then `gitd serve` with the new range")
	}
	if err := old.Destroy(); err != nil {
		return err
	}
	return n.create(conn)
}

package bridge

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"regexp"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// reconnect makes the network again if it is gone, and puts back on it the machines that were: libvirt has taken their
// cables out.
func (n *Net) reconnect(conn *libvirt.Connect) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.ensure(conn); err != nil {
		return err
	}
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return fmt.Errorf("list domains: %w", err)
	}
	for _, dom := range domains {
		if e := n.replug(&dom); e != nil && err == nil && !session.IsCode(e, libvirt.ERR_NO_DOMAIN) {
			err = e
		}
		dom.Free() //nolint:errcheck // only an invalid one fails
	}
	return err
}

// cable is what is read of libvirt's description of an interface: of its source, and all of it.
type cable struct {
	Source struct {
		Network string `xml:"network,attr"`
		Bridge  string `xml:"bridge,attr"` // where it ends, or has ended
	} `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
	All string `xml:",innerxml"`
}

func cables(dom *libvirt.Domain) ([]cable, error) {
	text, err := dom.GetXMLDesc(0)
	if err != nil {
		return nil, err
	}
	var d struct {
		Cables []cable `xml:"devices>interface"`
	}
	return d.Cables, xml.Unmarshal([]byte(text), &d)
}

// freeBridge is a name for the network's bridge that no machine has its cable in, by what libvirt knows. Libvirt moves
// a cable when the bridge of its network has another name, and not when it is a new one of the same name.
func (n *Net) freeBridge(conn *libvirt.Connect) (string, error) {
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return "", fmt.Errorf("list domains: %w", err)
	}
	name := n.name
	for _, dom := range domains {
		all, e := cables(&dom)
		err = errors.Join(err, e)
		for _, c := range all {
			if c.Source.Bridge == n.name {
				name = n.name + "b"
			}
		}
		dom.Free() //nolint:errcheck // only an invalid one fails
	}
	return name, err
}

var source = regexp.MustCompile(`<source [^>]*/>`)

// replug puts a machine back on the network.
func (n *Net) replug(dom *libvirt.Domain) error {
	all, err := cables(dom)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Source.Network != n.name || plugged(c.Target.Dev) {
			continue
		}
		now := source.ReplaceAllString(c.All, "<source network='"+n.name+"'/>")
		if err := dom.UpdateDeviceFlags("<interface type='network'>"+now+"</interface>", libvirt.DOMAIN_DEVICE_MODIFY_LIVE); err != nil {
			return fmt.Errorf("put a machine back on libvirt's network: %w", err)
		}
		n.Log.Info().Str("cable", c.Target.Dev).Msg("a machine is on libvirt's network again")
	}
	return nil
}

// plugged reports whether a cable ends in a bridge.
func plugged(dev string) bool {
	_, err := os.Stat("/sys/class/net/" + dev + "/brport")
	return err == nil
}

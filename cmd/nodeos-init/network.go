package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// /etc/resolv.conf and /etc/hosts in the base are symlinks to these files.
const (
	resolvConf = "/run/resolv.conf"
	hostsFile  = "/run/hosts"
)

// configureNetwork configures the loopback and the machine's one interface, and what names mean there.
func configureNetwork(n guest.Network, hostname string) error {
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	for _, link := range links {
		if !isLoopback(link) {
			if err := addAddresses(link, n); err != nil {
				return fmt.Errorf("network: %s: %w", link.Attrs().Name, err)
			}
		}
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("network: %s up: %w", link.Attrs().Name, err)
		}
	}
	// Routes need an interface that is up.
	for _, gateway := range []string{n.Gateway, n.Gateway6} {
		if err := addGateway(gateway); err != nil {
			return fmt.Errorf("network: %w", err)
		}
	}
	return writeNames(n, hostname)
}

func isLoopback(link netlink.Link) bool { return link.Attrs().Flags&net.FlagLoopback != 0 }

// configureLoopback makes the machine reach itself, and nothing else.
func configureLoopback() error {
	links, err := netlink.LinkList()
	n := guest.Network{Address: "127.0.0.1/8", Address6: "::1/128", DNS: []string{"127.0.0.1"}}
	for _, link := range links {
		if isLoopback(link) {
			err = errors.Join(err, addAddresses(link, n), netlink.LinkSetUp(link))
		}
	}
	return errors.Join(err, writeNames(n, "localhost"))
}

// writeNames writes what names mean on the network.
func writeNames(n guest.Network, hostname string) error {
	text, err := resolver(n.DNS)
	if err != nil {
		return fmt.Errorf("network: %w", err)
	}
	return errors.Join(os.WriteFile(resolvConf, []byte(text), 0o644), os.WriteFile(hostsFile, []byte(hosts(n, hostname)), 0o644))
}

// hosts returns the text of a hosts file. The machine's own name is its address on the network, as on other hosts: a
// server that listens there can be reached. "localhost" is 127.0.0.1 alone: Node takes the first address of a name, so
// that a server on "localhost" would listen for IPv6 only, to which the host does not connect.
func hosts(n guest.Network, hostname string) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n")
	for _, text := range []string{n.Address, n.Address6} {
		if own, err := netip.ParsePrefix(text); err == nil && !strings.ContainsAny(hostname, " \t\n#") && hostname != "" {
			fmt.Fprintf(&b, "%s %s\n", own.Addr(), hostname)
		}
	}
	return b.String()
}

func addAddresses(link netlink.Link, n guest.Network) error {
	for _, text := range []string{n.Address, n.Address6} {
		if text == "" {
			continue
		}
		addr, err := netlink.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("address %q: %w", text, err)
		}
		// Nobody else has the address, because the host has chosen it. Waiting for duplicates would keep an IPv6
		// address unusable for a second.
		if addr.IP.To4() == nil {
			addr.Flags |= unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("address %q: %w", text, err)
		}
	}
	return nil
}

func addGateway(text string) error {
	if text == "" {
		return nil
	}
	gw := net.ParseIP(text)
	if gw == nil {
		return fmt.Errorf("gateway %q is not an address", text)
	}
	if err := netlink.RouteAdd(&netlink.Route{Gw: gw}); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("gateway %q: %w", text, err)
	}
	return nil
}

// resolver returns the text of a resolv.conf.
func resolver(servers []string) (string, error) {
	var b strings.Builder
	for _, s := range servers {
		if net.ParseIP(s) == nil {
			return "", fmt.Errorf("DNS server %q is not an address", s)
		}
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	return b.String(), nil
}

package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/bridge"
)

// bridgeOptions are the flags of a network of libvirt for machines.
type bridgeOptions struct {
	network string
	names   []string

	cfg bridge.Config // what they say, once they are checked; without a range: there is none
}

func (o *bridgeOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.network, "network", "", "put machines on a network of the host's libvirt with these addresses, such as 10.77.0.0/16: the kernel carries their packets, and links and limits of rate are not to be had; empty: each machine has a network of its own")
	f.StringSliceVar(&o.names, "network-dns", nil, "with --network, the name servers of machines; empty: those of this host")
}

// checks are of its own flags, and of those that go with them: egress was checked before.
func (o *bridgeOptions) checks(f *pflag.FlagSet, libvirt string, egress *core.Egress) []checked {
	return []checked{
		{"network", o.checkRange()},
		{"network", o.checkLibvirt(libvirt)},
		{"network-dns", o.checkNames()},
		{"allow-egress", o.checkRules(egress.Rules)},
		{"egress-rate", o.checkRate(f, egress)},
	}
}

// The shortest and the longest range: a few hundred thousand machines, and one and its next.
const (
	widestNetwork    = 12
	narrowestNetwork = 28
)

func (o *bridgeOptions) checkRange() error {
	if o.network == "" {
		return nil
	}
	r, err := netip.ParsePrefix(o.network)
	private := err == nil && r.Addr().Is4() && r.Addr().IsPrivate()
	if !private || r != r.Masked() || r.Bits() < widestNetwork || r.Bits() > narrowestNetwork {
		return core.Reject("it is no private range of IPv4 for machines", fmt.Sprintf("write one of /%d to /%d that nothing else on this host has: --network 10.77.0.0/16", widestNetwork, narrowestNetwork))
	}
	o.cfg.Range = r
	return nil
}

// checkLibvirt refuses a libvirt without networks, and one whose network this gitd does not reach.
func (o *bridgeOptions) checkLibvirt(uri string) error {
	if o.cfg.Range.IsValid() && strings.HasPrefix(uri, "qemu+ssh://") {
		return core.Reject("a libvirt network of another host leads to no app from here", "leave it out: each machine has a network of its own there")
	}
	if o.cfg.Range.IsValid() && (uri == "" || strings.HasPrefix(uri, "qemu:///embed")) {
		return core.Reject("the libvirt within gitd has no networks", "use that of the host: --libvirt qemu:///system")
	}
	return nil
}

func (o *bridgeOptions) checkRules(rules []core.EgressRule) error {
	if !o.cfg.Range.IsValid() {
		return nil
	}
	return bridge.Refuse(core.Egress{Rules: rules})
}

// checkRate takes the limit away that nobody has typed, and refuses one that somebody has.
func (o *bridgeOptions) checkRate(f *pflag.FlagSet, egress *core.Egress) error {
	if !o.cfg.Range.IsValid() {
		return nil
	}
	if !f.Changed("egress-rate") {
		egress.Rate = 0
	}
	return bridge.Refuse(core.Egress{Rate: egress.Rate})
}

// checkNames finds the name servers of machines.
func (o *bridgeOptions) checkNames() error {
	if !o.cfg.Range.IsValid() {
		if len(o.names) > 0 {
			return core.Reject("it is of --network, which is not there", "add --network 10.77.0.0/16")
		}
		return nil
	}
	for _, name := range o.names {
		addr, err := netip.ParseAddr(name)
		if err != nil || !addr.Is4() || addr.IsLoopback() || addr.IsUnspecified() {
			return core.Reject(fmt.Sprintf("%q is no address of IPv4 that machines reach", name), "write one, such as 9.9.9.9")
		}
		o.cfg.DNS = append(o.cfg.DNS, addr)
	}
	if len(o.names) == 0 {
		o.cfg.DNS = hostNames("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
	}
	if len(o.cfg.DNS) == 0 {
		return core.Reject("this host's own name servers are on its loopback, which machines do not reach", "name others: --network-dns 9.9.9.9")
	}
	return nil
}

// hostNames are the name servers of the first file that has some which are elsewhere.
func hostNames(files ...string) (all []netip.Addr) {
	for _, file := range files {
		conf, err := dns.ClientConfigFromFile(file)
		if err != nil {
			continue
		}
		for _, server := range conf.Servers {
			if addr, err := netip.ParseAddr(server); err == nil && addr.Is4() && !addr.IsLoopback() {
				all = append(all, addr)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// with is the network, which logs there.
func (o *bridgeOptions) with(log zerolog.Logger) bridge.Config {
	o.cfg.Log = log
	return o.cfg
}

// onBridge has the commands refuse what machines on a network of libvirt do not have.
func (o *bridgeOptions) onBridge(s *command.Services) {
	if o.cfg.Range.IsValid() {
		s.Links, s.Networks = bridgedLinks{s.Links}, bridgedNetworks{s.Networks}
	}
}

type bridgedLinks struct{ command.Links }

// AddLink implements command.Links.
func (bridgedLinks) AddLink(context.Context, core.Actor, string, string, string) (core.Link, error) {
	return core.Link{}, bridge.Refuse(core.Egress{Links: make([]core.LinkEnd, 1)})
}

type bridgedNetworks struct{ command.Networks }

// AllowEgress implements command.Networks.
func (n bridgedNetworks) AllowEgress(ctx context.Context, by core.Actor, app string, rules []core.EgressRule) error {
	if err := bridge.Refuse(core.Egress{Rules: rules}); err != nil {
		return err
	}
	return n.Networks.AllowEgress(ctx, by, app, rules)
}

// SetEgressRate implements command.Networks.
func (n bridgedNetworks) SetEgressRate(ctx context.Context, by core.Actor, app string, rate int64) error {
	if err := bridge.Refuse(core.Egress{Rate: rate}); err != nil {
		return err
	}
	return n.Networks.SetEgressRate(ctx, by, app, rate)
}

// announce says at the start what machines do not have.
func (o *bridgeOptions) announce(log zerolog.Logger) {
	if o.cfg.Range.IsValid() {
		log.Info().Stringer("range", o.cfg.Range).Strs("without", []string{"links:add", "network:rate", "IPv6", "log lines of refused connections"}).
			Msg("machines are on a network of libvirt")
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/tcp"
)

// tcpOptions are the flags about apps that speak TCP.
type tcpOptions struct {
	ports   []string
	address string
	limits  tcp.Limits

	ranges []offer.Range // what ports says, once it is checked
}

func (o *tcpOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.ports, "tcp-ports", nil, "TCP ports of this host that every app may take by a push, if they are free: 5000-5999; more than one: again, or with commas; empty: only those of ports:allow")
	f.StringVar(&o.address, "tcp-address", "", "address of this host at which the TCP ports of apps are opened; empty: all of them")
	f.IntVar(&o.limits.Conns, "max-tcp-connections", 512, "TCP connections of one app; one address may have half of them")
	f.DurationVar(&o.limits.Idle, "tcp-idle-timeout", time.Hour, "for a TCP connection from outside through which nothing comes; 0: no limit")
}

func (o *tcpOptions) checks() []checked {
	return []checked{
		{"tcp-ports", o.checkPorts()},
		{"tcp-address", o.checkAddress()},
		{"max-tcp-connections", notBelowZero(o.limits.Conns)},
	}
}

func (o *tcpOptions) checkPorts() error {
	o.ranges = nil
	for _, part := range o.ports {
		for text := range strings.FieldsSeq(part) {
			r, err := offer.ParseRange(text)
			if err != nil {
				return err
			}
			o.ranges = append(o.ranges, r)
		}
	}
	return nil
}

func (o *tcpOptions) checkAddress() error {
	if o.address != "" && net.ParseIP(o.address) == nil {
		return fmt.Errorf("%q is no address: write one of this host, such as 127.0.0.1", o.address)
	}
	return nil
}

// openTCP makes the way to apps by TCP.
func openTCP(d *daemon, o *tcpOptions) *tcp.Router {
	return tcp.New(tcp.Config{
		Offer: func(ctx context.Context, app string) (offer.Offer, error) {
			now, err := d.ledger.Offer(ctx, app)
			now.Hosts = offer.StillAllowed(now.Hosts, o.ranges)
			return now, err
		},
		Listen: func(port int) (net.Listener, error) {
			return d.l.doors.TCP(fmt.Sprintf("tcp-%d", port), net.JoinHostPort(o.address, strconv.Itoa(port)))
		},
		Limits: o.limits, Log: d.log,
	})
}

// linkBy carries connections of machines to apps to which their own are linked. The ledger is asked each time: it knows
// which app that is now, and whether there is such a link still.
func linkBy(d *daemon) jails.Link {
	return func(ctx context.Context, id int64, port int, bring func(context.Context) (net.Conn, error)) error {
		l, err := d.ledger.Link(ctx, id)
		if errors.Is(err, core.ErrNotFound) {
			return core.Reject("is not linked", "")
		}
		if err != nil {
			return err
		}
		return d.tcp.Carry(ctx, l.Target, "app "+l.App, port, bring)
	}
}

// ways are both ways to apps: HTTP, and TCP.
type ways struct {
	*proxy.Proxy
	tcp *tcp.Router
}

// Switch implements fleet.Router.
func (w ways) Switch(app string, addrs []string) (drain func(ctx context.Context)) {
	byTCP := w.tcp.Switch(app, addrs)
	if w.tcp.NoHTTP(app) {
		return together(byTCP, w.Proxy.Down(app, "it does not speak HTTP"))
	}
	return together(byTCP, w.Proxy.Switch(app, addrs))
}

// Hold implements fleet.Router.
func (w ways) Hold(app string, limit time.Duration, knock func()) (drain func(ctx context.Context)) {
	byTCP := w.tcp.Hold(app, limit, knock)
	if knock != nil && w.tcp.NoHTTP(app) {
		return together(byTCP, w.Proxy.Down(app, "it does not speak HTTP"))
	}
	return together(byTCP, w.Proxy.Hold(app, limit, knock))
}

// Down implements fleet.Router.
func (w ways) Down(app, reason string) (drain func(ctx context.Context)) {
	return together(w.tcp.Down(app, reason), w.Proxy.Down(app, reason))
}

// Remove implements fleet.Router.
func (w ways) Remove(app string) {
	w.tcp.Remove(app)
	w.Proxy.Remove(app)
}

// together drains both at once.
func together(drains ...func(ctx context.Context)) func(ctx context.Context) {
	return func(ctx context.Context) {
		var all sync.WaitGroup
		for _, drain := range drains {
			all.Go(func() { drain(ctx) })
		}
		all.Wait()
	}
}

// urls are where people find an app: by HTTP, or, if it does not speak that, at its first port.
func urls(o *options, d *daemon) func(app string) string {
	web := o.url(d.l)
	return func(app string) string {
		if !d.tcp.NoHTTP(app) {
			return web(app)
		}
		for _, u := range d.tcp.Use() {
			if u.App == app {
				return fmt.Sprintf("tcp://%s:%d", o.host(app), u.Host)
			}
		}
		return core.LinkHost(app) + ", for linked apps"
	}
}

// ownPorts are the ports of this host that gitd itself has.
func (l *listeners) ownPorts() (all []int) {
	for _, x := range []net.Listener{l.ssh, l.http, l.https} {
		if x != nil {
			if a, is := x.Addr().(*net.TCPAddr); is {
				all = append(all, a.Port)
			}
		}
	}
	return all
}

package main

import (
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/applog"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/proxy/access"
)

// frontOptions are the flags about who comes to the front door, and what is written of it.
type frontOptions struct {
	trusted []string
	passing []string
	access  string // accessApps, accessOff, or the path of a file
	query   bool   // the access log has the queries of requests too

	proxies []netip.Prefix // what trusted says, once it is checked
	passers []netip.Prefix // what passing says
}

func (o *frontOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.access, "access-log", accessApps, "where each request is written: apps (for each app, for the command `access`), off, or one file for all")
	f.BoolVar(&o.query, "access-log-query", false, "write what comes after the question mark of a request too: there may be secrets in it")
	f.StringSliceVar(&o.passing, "proxy-protocol", nil, "addresses or networks of proxies whose HTTP and HTTPS connections begin with the PROXY protocol, version 1 or 2; more than one: again, or with commas")
	f.StringSliceVar(&o.trusted, "trusted-proxies", nil, "addresses or networks of proxies in front of gitd, whose X-Forwarded-For, Forwarded and X-Request-Id are believed: 10.0.0.0/8; more than one: again, or with commas")
}

func (o *frontOptions) checks() []checked {
	var trusted, passing error
	o.proxies, trusted = prefixes(o.trusted)
	o.passers, passing = prefixes(o.passing)
	return []checked{{"trusted-proxies", trusted}, {"proxy-protocol", passing}, {"access-log", checkAccessLog(o.access)}}
}

// prefixes reads addresses and networks.
func prefixes(list []string) (all []netip.Prefix, err error) {
	for _, text := range list {
		p, err := core.ParseSource(text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// What --access-log says beside the path of a file.
const (
	accessApps = "apps"
	accessOff  = "off"
)

func checkAccessLog(text string) error {
	if text == accessApps || text == accessOff || filepath.IsAbs(text) {
		return nil
	}
	return core.Reject("that is no place for an access log", "write apps, off, or the whole path of a file, for example /var/log/gitd/access.log")
}

// openAccess opens what requests are written to. The logs of apps are open in any case: they move with their apps.
func (d *daemon) openAccess(state core.StateDir, o *frontOptions) (err error) {
	d.access = applog.Open(func(app string) string { return core.AccessLog(state, app) })
	if !filepath.IsAbs(o.access) {
		return nil
	}
	log := d.log.Sample(&zerolog.BurstSampler{Burst: 1, Period: 10 * time.Second})
	d.noted, err = access.OpenFile(o.access, o.query, func(err error) { log.Error().Err(err).Msg("requests are not written to the access log") })
	if err != nil {
		return core.Reject(err.Error(), "give a file that the user of gitd may write, or make its folder that user's")
	}
	return nil
}

func (d *daemon) closeAccess() error {
	err := d.access.Close()
	if d.noted != nil {
		err = errors.Join(err, d.noted.Close())
	}
	return err
}

// after is what is told of each request that the front door has answered.
func (d *daemon) after(o *frontOptions) (all []func(proxy.Request)) {
	all = append(all, d.watching.request)
	switch {
	case d.noted != nil:
		all = append(all, d.noted.Note)
	case o.access == accessApps:
		all = append(all, access.Each(d.access.Append, o.query))
	}
	return all
}

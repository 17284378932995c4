package certs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Store keeps the certificates that people set.
type Store interface {
	// OwnCertificates are all of them, with their keys.
	OwnCertificates(ctx context.Context) ([]core.OwnCertificate, error)
	// SetOwnCertificate keeps c, in place of what was set for its host.
	SetOwnCertificate(ctx context.Context, c core.OwnCertificate) error
	// RemoveOwnCertificate returns core.ErrNotFound if none was set for this host of app.
	RemoveOwnCertificate(ctx context.Context, app, host string) error
}

// Set takes a certificate for a host of app: PEM, with its chain and its private key in any order. It serves this host
// only, whatever other names are in it: those may be another app's.
func (k *Keeper) Set(ctx context.Context, by core.Actor, app, host string, text []byte) (core.Certificate, error) {
	host = plain(host)
	if err := k.mine(ctx, app, host); err != nil {
		return core.Certificate{}, err
	}
	p, err := Split(text)
	if err != nil {
		return core.Certificate{}, core.Reject(err.Error(), "send both in one stream: cat "+host+".crt "+host+".key | … certs:set "+app+" "+host)
	}
	c, err := p.Open()
	switch {
	case err != nil:
		return core.Certificate{}, core.Reject(err.Error(), "")
	case c.Leaf.VerifyHostname(host) != nil:
		return core.Certificate{}, core.Reject(fmt.Sprintf("the certificate is not for %s, but for %s", host, listed(c.Leaf.DNSNames)), "")
	case !time.Now().Before(c.Leaf.NotAfter):
		return core.Certificate{}, core.Reject("the certificate has expired on "+c.Leaf.NotAfter.UTC().Format(time.DateOnly), "")
	}
	if err := k.cfg.Store.SetOwnCertificate(ctx, core.OwnCertificate{App: app, Host: host, Chain: p.Chain, Key: p.Key}); err != nil {
		return core.Certificate{}, err
	}
	k.note(app, by.Name, "certificate.set", host+" until "+c.Leaf.NotAfter.UTC().Format(time.DateOnly))
	if err := k.read(ctx); err != nil {
		return core.Certificate{}, err
	}
	return k.State(host), nil
}

// Remove forgets what was set for a host of app.
func (k *Keeper) Remove(ctx context.Context, by core.Actor, app, host string) error {
	host = plain(host)
	err := k.cfg.Store.RemoveOwnCertificate(ctx, app, host)
	if errors.Is(err, core.ErrNotFound) {
		return core.Reject("no certificate was set for "+host+" of "+app, "`certs "+app+"` lists what it has")
	}
	if err != nil {
		return err
	}
	k.note(app, by.Name, "certificate.remove", host)
	return k.read(ctx)
}

// mine refuses a host that is not served by app.
func (k *Keeper) mine(ctx context.Context, app, host string) error {
	list, err := k.cfg.Names(ctx)
	if err != nil {
		return err
	}
	for _, n := range list {
		if n.Host == host && n.App == app {
			return nil
		}
	}
	return core.Reject(fmt.Sprintf("%s is not served at %.253q", app, host), "`domains "+app+"` lists where it is; domains:add adds a host")
}

func listed(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%q and %d more", names[:most], len(names)-most)
	}
	return fmt.Sprintf("%q", names)
}

// readSet takes the certificates that are set now. One that does not open is in the log.
func (k *Keeper) readSet(ctx context.Context) (map[string]*set, error) {
	list, err := k.cfg.Store.OwnCertificates(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	old := k.set
	k.mu.Unlock()
	all := map[string]*set{}
	for _, own := range list {
		if was := old[own.Host]; was != nil && was.OwnCertificate == own {
			all[own.Host] = was
			continue
		}
		c, err := Pair{own.Chain, own.Key}.Open()
		if err != nil {
			k.log.Error().Err(err).Str("host", own.Host).Msg("a certificate of the ledger cannot be used")
			continue
		}
		all[own.Host] = &set{own, c}
	}
	return all, nil
}

// Package certs keeps the certificates of the front door: those that it has from an ACME server, and the operator's
// own.
//
// It owns which certificate a handshake gets, for which names one is asked for, when, and how often, and the folder in
// which they are kept. It does not own the listeners nor what is served on them (package proxy), nor which names there
// are: it reads them where Config says (the ledger).
package certs

import (
	"context"
	"crypto/tls"
	"sync"

	"github.com/rs/zerolog"
)

// Name is a host name that the front door serves.
type Name struct {
	Host  string
	App   string // whose it is; empty: the server's own
	Eager bool   // a certificate is asked for at once, and not at the first handshake
}

// Config is what a Keeper works with.
type Config struct {
	Domain string // each app has its own name below this domain
	Folder string // with the operator's certificates; empty: there is none
	ACME   *ACME  // nil: no certificate is asked for
	Store  Store  // of the certificates that people set
	Log    zerolog.Logger

	// Names are those that are served now. For no other name a certificate is asked for.
	Names func(ctx context.Context) ([]Name, error)
	// Changed is closed when Names may have changed.
	Changed func() <-chan struct{}
	// Note tells of a certificate that came, or that did not come for the first time: "certificate.new" and
	// "certificate.fail", by "gitd". It may be nil.
	Note func(app, actor, action, detail string)
}

// Keeper has the certificates. Its methods are safe for concurrent use.
type Keeper struct {
	cfg    Config
	folder *folder
	office *office // that asks an ACME server; nil: nobody does
	log    zerolog.Logger
	rate   *allowance
	wake   chan struct{} // has one value when something is to be begun

	reading sync.Mutex // held while the names are read

	mu   sync.RWMutex
	apps map[string]string // of each host that is served
	set  map[string]*set   // by host
	jobs map[string]*job   // by the name that a certificate is asked for
}

// New makes a Keeper, which has read the operator's folder once.
func New(cfg Config) (*Keeper, error) {
	k := &Keeper{cfg: cfg, log: cfg.Log, wake: make(chan struct{}, 1), apps: map[string]string{}, jobs: map[string]*job{}}
	var err error
	if cfg.Folder != "" {
		if k.folder, err = openFolder(cfg.Folder, cfg.Log); err != nil {
			return nil, err
		}
	}
	if cfg.ACME != nil {
		k.rate = newAllowance(cfg.ACME.PerHour)
		k.office, err = openOffice(*cfg.ACME, cfg.Domain, k.renewed, cfg.Log)
	}
	return k, err
}

// TLS is how the front door speaks TLS.
func (k *Keeper) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1", challengeProtocol},
		GetCertificate: k.certificate,
	}
}

// Run keeps the certificates new, those of the folder and those of the ACME server, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	var all sync.WaitGroup
	if k.folder != nil {
		all.Go(func() { k.folder.watch(ctx) })
	}
	if k.office != nil {
		all.Go(func() { k.office.clean(ctx) })
	}
	all.Go(func() { k.tend(ctx) })
	all.Wait()
	if k.office != nil {
		k.office.close()
	}
	return nil
}

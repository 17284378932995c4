package notify

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
)

// HostCertificate is the certificate of a host of an app.
type HostCertificate struct {
	App, Host string
	core.Certificate
}

// Lookout looks for what nobody does, but what webhooks are to be told: a certificate that ends, a disk that fills up.
// What it finds goes into the audit, once.
type Lookout struct {
	Trail *audit.Trail
	Past  audit.Source // what was found before
	// Space is what the disk with gitd's state has left, and its size, in bytes.
	Space func() (free, size int64, err error)
	// Certificates are those with which hosts are served now.
	Certificates func(ctx context.Context) ([]HostCertificate, error)
	Log          *slog.Logger

	found map[string]time.Time // by what was found: when
}

const (
	lookEvery  = time.Minute
	diskTenth  = 10       // the disk is nearly full if less than a tenth is free
	diskRoom   = 10 << 30 // and less than this, in bytes: a tenth of a large disk is a lot
	diskAgain  = 24 * time.Hour
	remembered = 90 * 24 * time.Hour
)

// soon are the times before its end at which a certificate is spoken of.
var soon = []time.Duration{3 * 24 * time.Hour, 14 * 24 * time.Hour}

// Run looks until ctx ends.
func (l *Lookout) Run(ctx context.Context) {
	if err := l.remember(ctx); err != nil {
		l.Log.Error("what was told of certificates and of the disk may be told again", "error", err)
	}
	every := time.NewTicker(lookEvery)
	defer every.Stop()
	for {
		if err := l.Look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			l.Log.Error("nobody knows whether the disk is full or a certificate ends", "error", err)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// remember reads what was found before gitd began.
func (l *Lookout) remember(ctx context.Context) error {
	l.found = map[string]time.Time{}
	for e, err := range audit.Read(ctx, l.Past, core.EntryRange{Since: time.Now().Add(-remembered)}) {
		if err != nil {
			return err
		}
		if e.Action == DiskLow || e.Action == CertificateEnds {
			l.found[key(e.Action, e.Detail)] = e.Time
		}
	}
	return nil
}

// key is what a finding is known by: the host and the day of a certificate, and the disk alone.
func key(action, detail string) string {
	if action == DiskLow {
		return action
	}
	what, _, _ := strings.Cut(detail, ": ")
	return action + " " + what
}

// Look looks once.
func (l *Lookout) Look(ctx context.Context, now time.Time) error {
	free, size, err := l.Space()
	if err != nil {
		return err
	}
	if free < size/diskTenth && free < diskRoom && now.Sub(l.found[DiskLow]) > diskAgain {
		l.note(ctx, now, "", DiskLow, fmt.Sprintf("%d MiB of %d MiB are free", free>>20, size>>20))
	}
	list, err := l.Certificates(ctx)
	if err != nil {
		return err
	}
	for _, c := range list {
		l.certificate(ctx, now, c)
	}
	return nil
}

// certificate speaks of one that ends soon. One of an ACME server is renewed by itself, unless that has failed.
func (l *Lookout) certificate(ctx context.Context, now time.Time, c HostCertificate) {
	if c.Until.IsZero() || c.From == core.CertificateACME && c.Reason == "" {
		return
	}
	if c.From == core.CertificateFolder { // it may be that of many hosts
		c.App, c.Host = "", "a certificate of --certificate-dir"
	}
	for _, d := range soon {
		if c.Until.Sub(now) >= d {
			continue
		}
		detail := fmt.Sprintf("%s ends on %s, in less than %d days", c.Host, c.Until.UTC().Format(time.DateOnly), d/(24*time.Hour))
		if c.Reason != "" {
			detail += ": it could not be renewed: " + c.Reason
		}
		if _, known := l.found[key(CertificateEnds, detail)]; !known {
			l.note(ctx, now, c.App, CertificateEnds, detail)
		}
		return
	}
}

func (l *Lookout) note(ctx context.Context, now time.Time, app, action, detail string) {
	l.found[key(action, detail)] = now
	l.Trail.Note(ctx, app, "gitd", action, detail)
}

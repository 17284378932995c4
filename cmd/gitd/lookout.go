package main

import (
	"context"
	"log/slog"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/notify"
)

// lookout is the search for what webhooks are to be told although nobody has done it.
type lookout struct {
	notify.Lookout
	stop context.CancelFunc // nil: it has not begun
	over chan struct{}
}

func newLookout(o *options, d *daemon) *lookout {
	log := slog.New(zerolog.NewSlogHandler(d.log))
	return &lookout{Lookout: notify.Lookout{
		Trail: audit.New(d.ledger, log), Past: d.ledger, Log: log,
		Space: func() (free, size int64, err error) {
			s, err := disk.SpaceOf(o.state)
			return s.Free, s.Size, err
		},
		Certificates: func(ctx context.Context) ([]notify.HostCertificate, error) { return served(ctx, o, d) },
	}}
}

// served are the certificates of all hosts of apps.
func served(ctx context.Context, o *options, d *daemon) (all []notify.HostCertificate, err error) {
	if d.certs == nil {
		return nil, nil
	}
	apps, err := d.ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	for _, a := range apps {
		all = append(all, notify.HostCertificate{App: a.Name, Host: o.host(a.Name), Certificate: d.certs.State(o.host(a.Name))})
	}
	domains, err := d.ledger.Domains(ctx, "")
	for _, x := range domains {
		all = append(all, notify.HostCertificate{App: x.App, Host: x.Host, Certificate: d.certs.State(x.Host)})
	}
	return all, err
}

func (l *lookout) begin(ctx context.Context) {
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.over = make(chan struct{})
	go func() {
		defer close(l.over)
		l.Run(ctx)
	}()
}

func (l *lookout) end() {
	if l.stop != nil {
		l.stop()
		<-l.over
	}
}

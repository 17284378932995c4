package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/applog"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/drain"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/notify"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// receiverOptions are the flags about those whom gitd sends something: drains and webhooks.
type receiverOptions struct {
	allow []string
	ca    string // file

	rules []core.EgressRule // what allow says, once it is checked
	roots *x509.CertPool    // nil: the system's
}

func (o *receiverOptions) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.allow, "allow-receiver", nil, "an address or a network, not out on the internet, that drains and webhooks may send to: 127.0.0.1:4318, 10.0.0.0/8; more than one: again, or with commas")
	f.StringVar(&o.ca, "receiver-ca", "", "file with authorities (PEM), beside the system's, that vouch for receivers of drains and webhooks")
}

func (o *receiverOptions) checks() []checked {
	return []checked{{"allow-receiver", o.checkRules()}, {"receiver-ca", o.readRoots()}}
}

func (o *receiverOptions) checkRules() error {
	o.rules = nil
	for _, part := range o.allow {
		for text := range strings.FieldsSeq(part) {
			r, err := core.ParseEgressRule(text)
			if err != nil {
				return err
			}
			o.rules = append(o.rules, r)
		}
	}
	return nil
}

func (o *receiverOptions) readRoots() error {
	if o.ca == "" {
		return nil
	}
	text, err := os.ReadFile(o.ca)
	if err != nil {
		return err
	}
	o.roots, err = outbound.Roots(text)
	return err
}

// farewell is for what waits for receivers when gitd ends.
const farewell = 2 * time.Second

// openLogs opens the logs, and makes the drains, which read them, and the webhooks.
func openLogs(o *options, d *daemon) error {
	state := core.StateDir(o.state)
	d.logs, d.builds = applog.Open(state.Log), applog.OpenBuilds(state.BuildLog)
	d.builds.Lines = applog.Open(func(app string) string { return core.DrainedBuilds(state, app) })
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	d.drains = drain.New(drain.Config{
		Ledger: d.ledger, Logs: map[string]drain.Logs{drain.Output: d.logs, drain.Builds: d.builds.Lines},
		Dir: core.Drains(state), Host: host, Agent: "gitd/" + buildVersion(), Roots: o.receivers.roots,
		Log: slog.New(zerolog.NewSlogHandler(d.log)), Rules: receiverRules(o, d.ledger),
	})
	d.builds.Wanted = d.drains.Wants
	d.told = notify.New(notify.Config{
		Ledger: d.ledger, Host: host, URL: urls(o, d), Agent: "gitd/" + buildVersion(), Roots: o.receivers.roots,
		Log: slog.New(zerolog.NewSlogHandler(d.log)), Rules: receiverRules(o, d.ledger),
	})
	d.looks = newLookout(o, d)
	d.logs.Reader, d.builds.Lines.Reader = d.drains.Reader(drain.Output), d.drains.Reader(drain.Builds)
	return nil
}

// sending is what goes elsewhere.
type sending struct {
	drains *drain.Drains
	told   *notify.Webhooks
	looks  *lookout
}

// begin sends and tells what waits since gitd ended, and goes on.
func (r sending) begin(ctx context.Context) error {
	if err := r.drains.Start(ctx); err != nil {
		return err
	}
	if err := r.told.Start(ctx); err != nil {
		return err
	}
	r.looks.begin(ctx)
	return nil
}

// closeLogs writes what was said last, and sends it.
func closeLogs(d *daemon) error {
	d.looks.end()
	d.told.End()
	err := errors.Join(d.logs.Close(), d.builds.Lines.Close())
	d.drains.End(farewell)
	return err
}

// receiverRules are what receivers of an app may be, beside those out on the internet: what its machines may reach,
// since they could send the same there, and what the operator allows.
func receiverRules(o *options, l *ledger.Ledger) func(context.Context, string) ([]core.EgressRule, error) {
	return func(ctx context.Context, app string) ([]core.EgressRule, error) {
		if app == "" {
			return o.receivers.rules, nil
		}
		set, err := l.Network(ctx, app)
		if err != nil {
			return nil, fmt.Errorf("what receivers of %s may be: %w", app, err)
		}
		return append(set.Egress(o.network.egress).Rules, o.receivers.rules...), nil
	}
}

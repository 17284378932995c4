package main

import (
	"context"
	"log/slog"
	"net"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/doors"
	"github.com/nodeos-dev/gitd/internal/metrics"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/trace"
)

// watchOptions are the flags that say how gitd is watched.
type watchOptions struct {
	metrics string // address; empty: nowhere
	otlp    string // where traces go; empty: what the environment says
}

func (o *watchOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.metrics, "metrics", "127.0.0.1:9180", "address at which Prometheus reads metrics, at /metrics; whoever reaches it sees the names of all apps; empty: nowhere")
	f.StringVar(&o.otlp, "otlp", "", "URL of a receiver of OpenTelemetry, for a trace of each push, by OTLP over HTTP: http://127.0.0.1:4318; empty: OTEL_EXPORTER_OTLP_ENDPOINT, else no traces")
}

func (o *watchOptions) checks() []checked {
	all := []checked{{"otlp", checkURL(o.otlp, "http://127.0.0.1:4318", "http", "https")}}
	if o.metrics != "" {
		all = append(all, checked{"metrics", checkAddress(o.metrics, "127.0.0.1:9180")})
	}
	return all
}

// tracing is where traces go.
func (o *watchOptions) tracing(log zerolog.Logger) trace.Config {
	return trace.Config{Endpoint: o.otlp, Version: buildVersion(), Log: slog.New(zerolog.NewSlogHandler(log))}
}

// watching is what watches gitd. What happens is counted whether anybody reads it or not: it costs little.
type watching struct {
	metrics *metrics.Metrics
	traces  *trace.Traces // nil: there are none
	doors   *doors.Set
	given   net.Listener // that of the gitd before; nil: there was none, or its address was another
}

// metricsDoor is the name by which the door of the metrics goes from gitd to gitd.
const metricsDoor = "metrics"

// inherit takes the door that the gitd before had, or systemd. A scrape that comes meanwhile waits in the kernel.
func (w *watching) inherit(set *doors.Set, o *watchOptions) {
	w.doors = set
	if o.metrics != "" && set.Given(metricsDoor) {
		w.given, _ = w.listen(o.metrics) // serve tries again, and says what is wrong
	}
}

// listen opens the door of the metrics, unless there is one.
func (w *watching) listen(address string) (net.Listener, error) {
	if l := w.given; l != nil {
		w.given = nil
		return l, nil
	}
	l, err := w.doors.TCP(metricsDoor, address)
	if err != nil {
		return nil, err // not l: it is a nil of a type
	}
	return l, nil
}

func (o *watchOptions) begin(ctx context.Context, log zerolog.Logger) (*watching, error) {
	w := &watching{metrics: metrics.New(buildVersion(), slog.New(zerolog.NewSlogHandler(log)))}
	c := o.tracing(log)
	if err := c.Check(); err != nil || !c.Wanted() {
		return w, err
	}
	var err error
	if w.traces, err = trace.New(ctx, c); err == nil {
		w.showTraces()
	}
	return w, err
}

// moment is told of each moment of the core.
func (w *watching) moment(x core.Transition) {
	w.metrics.Note(x)
	w.traces.Note(x)
	if observe != nil {
		observe(x)
	}
}

// request is told of each request that the front door has answered.
func (w *watching) request(q proxy.Request) {
	w.metrics.Requests.Note(q.App, q.Status, q.Took, q.In, q.Out)
}

// event is told of each event of the doors.
func (w *watching) event(e audit.Event) { w.metrics.Door(e.Action, string(e.Result)) }

// serve serves the metrics of d until ctx ends.
func (w *watching) serve(ctx context.Context, d *daemon, o *options) error {
	w.metrics.Watch(metrics.Sources{
		Apps: d.core.Statuses, Counts: d.front.Counts, Conns: d.front.Conns, Work: d.core.Overview,
		Ready:  func() (spare, kept int) { return d.spares.Ready(), len(d.warm.Kept("")) },
		Places: d.core.Quotas.Promised, Usage: d.core.Usage, Libvirt: d.driver.Away,
		Space: func() (metrics.Space, error) {
			s, err := disk.SpaceOf(o.state)
			return metrics.Space{Size: s.Size, Free: s.Free, FilesFree: s.Files}, err
		},
	})
	w.showCertificates(d, o)
	w.showDrains(d)
	w.showRefusals(d)
	w.showTCP(d)
	if o.watch.metrics == "" {
		return nil
	}
	return w.metrics.Serve(ctx, o.watch.metrics, w.listen)
}

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/drain"
	"github.com/nodeos-dev/gitd/internal/metrics"
)

// namesFor is how long the names of certificates are remembered: they are read from the ledger.
const namesFor = time.Minute

// showTraces shows what became of the spans of traces.
func (w *watching) showTraces() {
	w.metrics.More(metrics.Counter, "gitd_trace_spans_total",
		"Spans of traces: sent, failed (the receiver did not take them) or dropped (too many waited for it).",
		[]string{"result"}, func(show func(float64, ...string)) {
			for result, n := range w.traces.Counts() {
				show(n, result)
			}
		})
}

// showCertificates shows until when the certificates of the names are good that the front door serves.
func (w *watching) showCertificates(d *daemon, o *options) {
	if d.certs == nil {
		return
	}
	var names []string
	var read time.Time
	w.metrics.More(metrics.Gauge, "gitd_certificate_expiry_timestamp_seconds",
		"Until when the certificate of the name is good, in seconds since 1970.",
		[]string{"name"}, func(show func(float64, ...string)) {
			if time.Since(read) > namesFor {
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				if list, err := d.servedNames(o)(ctx); err == nil {
					names, read = nil, time.Now()
					for _, n := range list {
						names = append(names, n.Host)
					}
				}
			}
			for _, n := range names {
				if c := d.certs.State(n); !c.Until.IsZero() {
					show(float64(c.Until.Unix()), n)
				}
			}
		})
}

// showDrains shows how the drains are, by their ids.
func (w *watching) showDrains(d *daemon) {
	for _, m := range []struct {
		kind       metrics.Kind
		name, help string
		of         func(drain.State) float64
	}{
		{metrics.Gauge, "gitd_drain_up", "1 if the receiver of the drain took what it was sent last.", func(s drain.State) float64 {
			if s.Up {
				return 1
			}
			return 0
		}},
		{metrics.Gauge, "gitd_drain_lines_behind", "Lines that wait for the receiver of the drain.", func(s drain.State) float64 { return float64(s.Behind) }},
		{metrics.Counter, "gitd_drain_lines_sent_total", "Lines that were sent to the receiver of the drain.", func(s drain.State) float64 { return float64(s.Sent) }},
		{metrics.Counter, "gitd_drain_lines_dropped_total", "Lines that were not sent to the receiver of the drain, and never will be.", func(s drain.State) float64 { return float64(s.Dropped) }},
	} {
		w.metrics.More(m.kind, m.name, m.help, []string{"app", "drain"}, func(show func(float64, ...string)) {
			rows, err := d.drains.List(func(string) bool { return true })
			for _, r := range rows {
				if err == nil {
					show(m.of(r.State), r.App, r.ID)
				}
			}
		})
	}
}

// showRefusals shows what the rules of apps have refused, for the apps that have rules.
func (w *watching) showRefusals(d *daemon) {
	w.metrics.More(metrics.Counter, "gitd_http_requests_refused_total",
		"HTTP requests that the rules of the app have refused, by why.",
		[]string{"app", "reason"}, func(show func(float64, ...string)) {
			for app, refused := range d.front.Refused() {
				for reason, n := range refused {
					show(float64(n), app, reason)
				}
			}
		})
}

// showTCP shows how the TCP ports of apps are used. A port that is closed has no series.
func (w *watching) showTCP(d *daemon) {
	for _, m := range []struct {
		kind       metrics.Kind
		name, help string
		of         func(offer.Use) int64
	}{
		{metrics.Gauge, "gitd_tcp_connections", "Connections at the TCP port that are open.", func(u offer.Use) int64 { return u.Now }},
		{metrics.Counter, "gitd_tcp_connections_total", "Connections that the TCP port has taken.", func(u offer.Use) int64 { return u.Total }},
		{metrics.Counter, "gitd_tcp_connections_refused_total", "Connections at the TCP port that were reset, because there were too many, or nothing to take them.", func(u offer.Use) int64 { return u.Refused }},
		{metrics.Counter, "gitd_tcp_received_bytes_total", "Bytes to the app, of connections at the TCP port that have ended.", func(u offer.Use) int64 { return u.In }},
		{metrics.Counter, "gitd_tcp_sent_bytes_total", "Bytes from the app, of connections at the TCP port that have ended.", func(u offer.Use) int64 { return u.Out }},
	} {
		w.metrics.More(m.kind, m.name, m.help, []string{"app", "port"}, func(show func(float64, ...string)) {
			for _, u := range d.tcp.Use() {
				show(float64(m.of(u)), u.App, strconv.Itoa(u.Host))
			}
		})
	}
}

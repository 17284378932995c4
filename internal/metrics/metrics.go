// Package metrics is what Prometheus reads of a running gitd.
//
// It owns the names and units of the metrics, which series there are, and the door at which they are read. It does not
// own what is counted: it is told of the moments of the core (Note) and of each request (Requests.Note), and asks the
// rest when it is scraped. A series has the names of apps and processes that exist, and words that this program has
// written, and no others: text of strangers is never a label.
package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/usage"
)

const (
	// fresh is how old the answer to a scrape may be: several that come at once cost what one does.
	fresh = 500 * time.Millisecond
	// patience is how long a scrape waits for the ledger. After that it shows the apps as they were.
	patience = 2 * time.Second
)

// Sources is where the metrics come from that are looked up at a scrape. Every field is required. None may wait for
// long, but Usage, which is called beside the scrapes.
type Sources struct {
	Apps    func(ctx context.Context) ([]fleet.AppStatus, error)
	Counts  func(app string) core.Counts
	Conns   func() core.Conns
	Work    func() deploy.Overview
	Places  func() (promised, most core.Resources)
	Ready   func() (spare, kept int) // machines that no app has
	Space   func() (Space, error)
	Usage   func(ctx context.Context) (usage.Usage, error)
	Libvirt func() (away string, since time.Time)
}

// Space is what the state folder's file system has.
type Space struct{ Size, Free, FilesFree int64 }

// Metrics is all metrics of one gitd. Its methods are safe for concurrent use.
type Metrics struct {
	Requests *Requests

	log      *slog.Logger
	registry *prometheus.Registry
	events   events
	disk     disk

	mu    sync.Mutex // one scrape at a time
	from  Sources
	made  time.Time // when last was
	last  []*dto.MetricFamily
	since time.Time // when the apps could last be read

	seen snapshot
}

// New makes the metrics of a gitd of this version. Nothing is looked up before Watch.
func New(version string, log *slog.Logger) *Metrics {
	m := &Metrics{Requests: newRequests(), log: log, registry: prometheus.NewRegistry(), events: newEvents()}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "gitd_build_info", Help: "1, with the version of gitd.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.Requests)
	m.registry.MustRegister(m.events.all()...)
	return m
}

// Watch begins to look things up. It is called once, before the first scrape.
func (m *Metrics) Watch(from Sources) {
	m.from, m.disk.read = from, from.Usage
	m.registry.MustRegister(&m.seen, &m.disk)
}

// Gather implements prometheus.Gatherer.
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.made) < fresh {
		return m.last, nil
	}
	m.look()
	m.disk.refresh()
	all, err := m.registry.Gather()
	if err == nil {
		m.made, m.last = time.Now(), all
	}
	return all, err
}

// look reads how everything is, and ends the series of apps that are no more.
func (m *Metrics) look() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begun := time.Now()
	apps, err := m.from.Apps(ctx)
	if err != nil {
		m.log.Warn("metrics show the apps as they were", "since", m.since, "error", err)
		apps = m.seen.apps
	} else {
		m.since = begun
	}
	m.seen.take(apps, m.from)
	if err != nil {
		return
	}
	there := make(map[string]bool, len(apps))
	for _, a := range apps {
		there[a.App] = true
	}
	gone := func(app string, noted time.Time) bool { return !there[app] && noted.Before(begun) }
	m.Requests.forget(gone)
	m.events.forget(gone)
	m.disk.forget(gone)
}

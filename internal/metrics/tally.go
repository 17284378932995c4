package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// tally is a counter whose first label is an app. When an app is gone, its series end, and what they had counts for
// the app "": so a sum over all apps never falls.
type tally struct {
	desc   *prometheus.Desc
	labels int // after the app

	mu    sync.Mutex
	n     map[tallied]float64
	noted map[string]time.Time // by app: when it was last counted for
}

// tallied is the labels after the app, of which there are at most two.
type tallied struct{ app, first, second string }

func newTally(name, help string, labels ...string) *tally {
	return &tally{
		desc:   prometheus.NewDesc(name, help, append([]string{"app"}, labels...), nil),
		labels: len(labels), n: map[tallied]float64{}, noted: map[string]time.Time{},
	}
}

func (t *tally) add(k tallied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[k]++
	t.noted[k.app] = time.Now()
}

// forget ends the series of apps that are gone.
func (t *tally) forget(gone func(app string, noted time.Time) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for app, at := range t.noted {
		if app != "" && gone(app, at) {
			t.fold(app)
		}
	}
}

func (t *tally) fold(app string) {
	delete(t.noted, app)
	for k, n := range t.n {
		if k.app == app {
			delete(t.n, k)
			t.n[tallied{"", k.first, k.second}] += n
		}
	}
}

// Describe implements prometheus.Collector.
func (t *tally) Describe(to chan<- *prometheus.Desc) { to <- t.desc }

// Collect implements prometheus.Collector.
func (t *tally) Collect(to chan<- prometheus.Metric) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, n := range t.n {
		to <- prometheus.MustNewConstMetric(t.desc, prometheus.CounterValue, n, []string{k.app, k.first, k.second}[:1+t.labels]...)
	}
}

package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodeos-dev/gitd/internal/core"
)

// events are the metrics of what happens: pushes, boots, swaps, losses, and who comes to the doors.
type events struct {
	pushes   *tally
	lost     *tally
	started  *tally
	releases *prometheus.CounterVec
	whole    *prometheus.HistogramVec
	phases   *prometheus.HistogramVec
	boots    *prometheus.CounterVec
	booting  *prometheus.HistogramVec
	checks   *prometheus.CounterVec
	swaps    prometheus.Counter
	doors    *prometheus.CounterVec
}

// From a phase that only looks something up to a build of many minutes.
var phaseBuckets = []float64{.01, .1, .5, 1, 2.5, 5, 10, 30, 60, 180, 600}

// From a kernel of a machine with KVM to a boot on a busy host without it.
var bootBuckets = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

func newEvents() events {
	e := events{
		pushes:   newTally("gitd_pushes_total", "Pushes that have ended, by their result and the phase in which they ended; app is empty for apps that are no more.", "result", "phase"),
		lost:     newTally("gitd_machines_lost_total", "Machines that served and ended, or were silent; app is empty for apps that are no more."),
		started:  newTally("gitd_machines_replaced_total", "Machines that have taken the place of a lost one; app is empty for apps that are no more."),
		releases: counters("gitd_releases_total", "Releases that are live or have failed, by what asked for them.", "trigger", "result"),
		whole:    histograms("gitd_deployment_duration_seconds", "Time from a push or command to its end, by the result of its release.", phaseBuckets, "result"),
		phases:   histograms("gitd_deployment_phase_duration_seconds", "Time of each phase of pushes and commands.", phaseBuckets, "phase"),
		boots:    counters("gitd_boots_total", "Machines that were booted, by what they were for and whether they came up.", "kind", "result"),
		booting:  histograms("gitd_boot_phase_duration_seconds", "Time of each phase of a boot: host, firmware, kernel, init, node and app.", bootBuckets, "phase"),
		checks:   counters("gitd_health_checks_total", "Releases whose machines were asked for their health, by the result.", "result"),
		swaps:    prometheus.NewCounter(prometheus.CounterOpts{Name: "gitd_swaps_total", Help: "Releases to which traffic was switched."}),
		doors:    counters("gitd_door_events_total", "Logins, commands, fetches and pushes at the SSH door, by the result.", "event", "result"),
	}
	for _, kind := range []string{kindWeb, kindWorker, kindTask} {
		e.boots.WithLabelValues(kind, string(core.ResultOK))
		e.boots.WithLabelValues(kind, string(core.ResultFailed))
	}
	e.checks.WithLabelValues(string(core.ResultOK))
	e.checks.WithLabelValues(string(core.ResultFailed))
	return e
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

func (e events) all() []prometheus.Collector {
	return []prometheus.Collector{
		e.pushes, e.lost, e.started, e.releases, e.whole, e.phases, e.boots, e.booting, e.checks, e.swaps, e.doors,
	}
}

func (e events) forget(gone func(app string, noted time.Time) bool) {
	for _, t := range []*tally{e.pushes, e.lost, e.started} {
		t.forget(gone)
	}
}

// Note takes a moment of the core. It waits for nothing.
func (m *Metrics) Note(x core.Transition) {
	e := m.events
	switch x.Moment {
	case core.AtPhase:
		e.phases.WithLabelValues(x.Phase.Name).Observe(x.Phase.To.Sub(x.Phase.From).Seconds())
	case core.AtHealthy:
		e.checks.WithLabelValues(string(core.ResultOK)).Inc()
	case core.AtServed:
		e.swaps.Inc()
	case core.AtLost:
		e.lost.add(tallied{app: x.App})
	case core.AtStarted:
		e.started.add(tallied{app: x.App})
	case core.AtUp:
		e.up(x)
	case core.AtOver:
		e.over(x)
	}
}

// over counts a push or a command that has ended. A command that made no release is none.
func (e events) over(x core.Transition) {
	w, result := x.Work, string(x.Ended.Result)
	if w.Push {
		e.pushes.add(tallied{w.App, result, x.Ended.Phase})
	}
	if x.Ended.Phase == "health" && x.Ended.Result == core.ResultFailed {
		e.checks.WithLabelValues(result).Inc()
	}
	if w.Release > 0 {
		e.releases.WithLabelValues(string(w.Trigger), result).Inc()
		e.whole.WithLabelValues(result).Observe(time.Since(w.Began).Seconds())
	}
}

// What machines are for.
const (
	kindWeb    = "web"
	kindWorker = "worker"
	kindTask   = "task"
)

func (e events) up(x core.Transition) {
	kind, result := kindWorker, core.ResultOK
	switch {
	case x.Boot.Process == core.ProcessID{}:
		kind = kindTask
	case x.Boot.Process.IsWeb():
		kind = kindWeb
	}
	if x.Reason != "" {
		result = core.ResultFailed
	}
	e.boots.WithLabelValues(kind, string(result)).Inc()
	for _, s := range x.Boot.Times.Steps() {
		e.booting.WithLabelValues(s.Name).Observe(s.Took.Seconds())
	}
}

// Door counts an event of the doors: event and result are words of this program.
func (m *Metrics) Door(event, result string) { m.events.doors.WithLabelValues(event, result).Inc() }

package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Requests counts what the front door is told of each request. How many there were of an app, and how they were
// answered, the front door counts itself.
type Requests struct {
	stray [6]prometheus.Counter // for no app, by the class of their status

	mu  sync.RWMutex
	app map[string]*requestSeries
}

// requestSeries is what is counted of the requests of one app.
type requestSeries struct {
	begun    time.Time
	took     prometheus.Histogram
	in, sent prometheus.Counter
}

// classes name the class of a status: that of 200 to 299 is 2xx. What was not answered has none.
var classes = [6]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

const (
	requestsName = "gitd_http_requests_total"
	requestsHelp = "HTTP requests that have ended, by the class of their status; none: the client left without an answer. app is empty where no app is served."
)

func newRequests() *Requests {
	r := &Requests{app: map[string]*requestSeries{}}
	for i, class := range classes {
		r.stray[i] = prometheus.NewCounter(prometheus.CounterOpts{Name: requestsName, Help: requestsHelp, ConstLabels: prometheus.Labels{"app": "", "code": class}})
	}
	return r
}

// requestBuckets are few, because each app has them: from what a cache answers to what a person gives up on.
var requestBuckets = []float64{.005, .025, .1, .5, 2.5, 10}

func newRequestSeries(app string) *requestSeries {
	labels := prometheus.Labels{"app": app}
	return &requestSeries{
		begun: time.Now(),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gitd_http_request_duration_seconds", ConstLabels: labels, Buckets: requestBuckets,
			Help: "Time from a request to the end of its answer, without upgraded connections.",
		}),
		in:   prometheus.NewCounter(prometheus.CounterOpts{Name: "gitd_http_received_bytes_total", ConstLabels: labels, Help: "Bytes of the bodies of requests, and from upgraded connections that have ended."}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "gitd_http_sent_bytes_total", ConstLabels: labels, Help: "Bytes of the bodies of answers, and to upgraded connections that have ended."}),
	}
}

// Note takes a request that has ended. app is empty, or the name of an app that there is.
func (r *Requests) Note(app string, status int, took time.Duration, in, out int64) {
	if app == "" {
		r.stray[min(max(status/100, 0), 5)].Inc()
		return
	}
	s := r.of(app)
	if status != http.StatusSwitchingProtocols {
		s.took.Observe(took.Seconds())
	}
	s.in.Add(float64(max(in, 0)))
	s.sent.Add(float64(max(out, 0)))
}

func (r *Requests) of(app string) *requestSeries {
	r.mu.RLock()
	s := r.app[app]
	r.mu.RUnlock()
	if s != nil {
		return s
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s = r.app[app]; s == nil {
		s = newRequestSeries(app)
		r.app[app] = s
	}
	return s
}

// forget ends the series of apps that are gone.
func (r *Requests) forget(gone func(app string, noted time.Time) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for app, s := range r.app {
		if gone(app, s.begun) {
			delete(r.app, app)
		}
	}
}

// Describe implements prometheus.Collector. The series come and go, so that none is described.
func (r *Requests) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (r *Requests) Collect(to chan<- prometheus.Metric) {
	for _, c := range r.stray {
		to <- c
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, s := range r.app {
		to <- s.took
		to <- s.in
		to <- s.sent
	}
}

var (
	requestsDesc = prometheus.NewDesc(requestsName, requestsHelp, []string{"app", "code"}, nil)
	activeDesc   = prometheus.NewDesc("gitd_http_requests_active", "HTTP requests that run now, and upgraded connections.", []string{"app"}, nil)
	heldDesc     = prometheus.NewDesc("gitd_http_requests_held", "HTTP requests that wait for the next machine of their app.", []string{"app"}, nil)
)

// counted shows what the front door has counted for an app. A class without requests has no series, or 1,000 idle apps
// would have 6,000 of them.
func counted(to chan<- prometheus.Metric, app string, n core.Counts) {
	for i, ended := range n.Answers {
		if ended > 0 {
			to <- prometheus.MustNewConstMetric(requestsDesc, prometheus.CounterValue, float64(ended), app, classes[i])
		}
	}
	to <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, float64(n.Active), app)
	to <- prometheus.MustNewConstMetric(heldDesc, prometheus.GaugeValue, float64(n.Held), app)
}

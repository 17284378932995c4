package metrics

import "github.com/prometheus/client_golang/prometheus"

// Kind is what More adds.
type Kind = prometheus.ValueType

// The kinds.
const (
	Counter = prometheus.CounterValue
	Gauge   = prometheus.GaugeValue
)

// More adds a metric that another part of gitd knows. At each scrape, read calls show for each series, with the values
// of labels, which are names that exist or words of the program. It may not wait.
func (m *Metrics) More(
	kind Kind, name, help string, labels []string, read func(show func(value float64, labels ...string)),
) {
	m.registry.MustRegister(&more{desc(name, help, labels...), kind, read})
}

type more struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(show func(value float64, labels ...string))
}

// Describe implements prometheus.Collector.
func (c *more) Describe(to chan<- *prometheus.Desc) { to <- c.desc }

// Collect implements prometheus.Collector.
func (c *more) Collect(to chan<- prometheus.Metric) {
	c.read(func(value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(c.desc, c.kind, value, labels...)
	})
}

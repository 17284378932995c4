// Package promql checks docs/grafana and docs/prometheus: it parses each expression with Prometheus's own parser, and
// looks each metric up in docs/watching.md, whose names a test of gitd compares with what gitd serves. It is a module
// of its own, so that Prometheus is no dependency of gitd.
package promql

// Package monitoring holds what is told to Prometheus against Prometheus' own tools, and the
// dashboard and the alert rules of examples/monitoring against the metrics that there are.
package monitoring

// Package exporter serves what a program that keeps running counts, by Prometheus' own client.
//
// It is no part of the plugins: they end after one answer, and the client would cost each of their
// starts more than all the rest of it.
package exporter

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aws-provider-executor/pkg/metrics"
)

// Handler serves a Set, with the process's own metrics and those of Go's runtime beside it, to
// whoever asks. It is meant for the path /metrics. Every answer is as of the asking.
func Handler(s *metrics.Set) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// collector tells a Set to the client.
type collector struct{ set *metrics.Set }

// Describe tells every metric that there may be.
func (collector) Describe(told chan<- *prometheus.Desc) {
	for _, f := range metrics.Families() {
		told <- describe(f)
	}
}

func describe(f metrics.Family) *prometheus.Desc {
	return prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
}

// Collect tells what was counted so far.
func (c collector) Collect(told chan<- prometheus.Metric) {
	for _, s := range c.set.Samples() {
		desc := describe(s.Family)
		switch s.Family.Kind {
		case metrics.Counter:
			told <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, s.Value, s.Labels...)
		case metrics.Gauge:
			told <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, s.Value, s.Labels...)
		case metrics.Histogram:
			told <- prometheus.MustNewConstHistogram(desc, s.Count, s.Value, s.Buckets, s.Labels...)
		}
	}
}

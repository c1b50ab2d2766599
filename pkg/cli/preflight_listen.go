package cli

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"aws-provider-executor/pkg/metrics/exporter"
)

// metricsPath is where what is counted is served.
const metricsPath = "/metrics"

// loopback is where an address without a host listens: what is counted tells of a network.
const loopback = "127.0.0.1"

// listenAddress is where to listen: a port alone, or after a colon, is one of this machine's own.
func listenAddress(text string) (string, error) {
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil || port == "" {
		return "", usage("--listen is %q, want a port, or a host and a port as in 127.0.0.1:9108",
			text)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", usage("--listen is %q, want a port from 0 to 65535", text)
	}
	if host == "" {
		host = loopback
	}
	return net.JoinHostPort(host, port), nil
}

// serveMetrics serves what this run counts, until the context ends. It listens when it returns.
func (a *app) serveMetrics(ctx context.Context, address string) (stop func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, exporter.Handler(a.metrics))
	server := &http.Server{
		Handler: mux, ErrorLog: log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l) // it ends with ErrServerClosed
	}()
	fmt.Fprintf(a.stderr, "actionctl: metrics at http://%s%s\n", l.Addr(), metricsPath)
	return func() {
		_ = server.Close()
		<-done
	}, nil
}

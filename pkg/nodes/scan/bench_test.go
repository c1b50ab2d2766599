package scan_test

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/awscloud"
	"aws-provider-executor/pkg/nodes/scan"
	"aws-provider-executor/pkg/nodes/store"
)

// BenchmarkScan scans fleets that are known already. The time per node stays the same where the
// cost is linear. The stand-in's own work is in it.
func BenchmarkScan(b *testing.B) {
	for _, count := range []int{1000, 10_000} {
		b.Run(strconv.Itoa(count), func(b *testing.B) {
			s := ec2sim.New(ec2sim.WithCredentials(ec2sim.LabCredential))
			for _, r := range fifteen {
				s.Region(r).AddFleet(ec2sim.Instance{Tags: ec2sim.Tags{"Name": "web-{n}"}}, count/15)
			}
			srv, err := ec2sim.Start(s, ec2sim.ServerOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(srv.Close)
			environment(b, srv)
			kept, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "nodes.db"),
				store.Options{Create: true})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = kept.Close() })
			m, err := kept.CreateManager(b.Context(), ec2Manager("fleet", fifteen...))
			if err != nil {
				b.Fatal(err)
			}
			scanner := scan.New(kept, func(ctx context.Context, m nodes.Manager) (scan.Cloud, error) {
				return awscloud.Open(ctx, m, awscloud.Options{})
			}, scan.Options{})
			for b.Loop() {
				_, err := scanner.Scan(b.Context(), scan.Request{Managers: []nodes.Manager{m}})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(count/15*15)), "ns/node")
		})
	}
}

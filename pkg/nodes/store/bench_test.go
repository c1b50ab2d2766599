package store_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/filter"
	"aws-provider-executor/pkg/nodes/store"
)

const (
	benchNodes   = 100_000
	benchRegions = 15
)

// fleet is a store of many nodes, made once for all benchmarks.
var fleet = sync.OnceValues(func() (*store.Store, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	ctx := background
	s, err := store.Open(ctx, filepath.Join(dir, "nodes.db"), store.Options{Create: true})
	if err != nil {
		return nil, err
	}
	m, err := s.CreateManager(ctx, nodes.Manager{Name: "prod", Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessAmbient}})
	if err != nil {
		return nil, err
	}
	for r := range benchRegions {
		if _, err := s.ApplyScan(ctx, bigScan(m.ID, r, benchNodes/benchRegions+1, 0)); err != nil {
			return nil, err
		}
	}
	return s, nil
})

// bigScan is a complete scan of one region with many instances.
func bigScan(manager string, region, count, minute int) nodes.Scan {
	s := nodes.Scan{
		ManagerID: manager, AccountID: "111122223333", Region: fmt.Sprintf("us-west-%d", region),
		Type: nodes.TypeInstance, Verdict: nodes.Complete, Begun: at(minute), Ended: at(minute),
	}
	for i := range count {
		id := fmt.Sprintf("i-%02x%015x", region, i)
		name := fmt.Sprintf("web-%06d", i*benchRegions+region)
		state := nodes.StateRunning
		if i%20 == 19 {
			state = nodes.StateStopped
		}
		env := []string{"prod", "dev", "test"}[i%3]
		s.Seen = append(s.Seen, nodes.Sighting{
			ID: id, State: state, Name: name,
			Tags: map[string]string{"Name": name, "env": env, "team": fmt.Sprint("t", i%50)},
			Details: nodes.Details{
				Platform: "Linux/UNIX", Zone: s.Region + "a", InstanceType: "m5.large", VPCID: "vpc-1",
				Interfaces: []nodes.Interface{{ID: "eni-" + id, SubnetID: "subnet-1",
					Private: []string{fmt.Sprintf("10.%d.%d.%d", region, i/250, i%250)}}},
			},
		})
	}
	return s
}

// cpu is the processor time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func measure(b *testing.B, do func() error) {
	b.Helper()
	begun := cpu()
	for b.Loop() {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-begun).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// BenchmarkFilter lists the first page of a filter over all nodes, and counts what it has.
func BenchmarkFilter(b *testing.B) {
	s, err := fleet()
	if err != nil {
		b.Fatal(err)
	}
	for _, text := range []string{
		"region=us-west-3", "name=web-0999*", "name=*9999", "tag:env=prod,state=running",
		"region=us-west*,tag:Name=web*,!tag:env=prod", "tag:team=t7", "tag:Name=*99?99",
		"name=web-00001?", "address=10.3.7.9", "!region=us-west-1,!tag:env=prod,dev",
		"tag:none=x",
	} {
		f, err := filter.Parse([]string{text}, filter.Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run("list/"+text, func(b *testing.B) {
			measure(b, func() error {
				_, err := s.List(b.Context(), store.Query{Filter: f})
				return err
			})
		})
		b.Run("count/"+text, func(b *testing.B) {
			measure(b, func() error {
				_, err := s.Count(b.Context(), f)
				return err
			})
		})
	}
}

// BenchmarkPage lists one page at several depths.
func BenchmarkPage(b *testing.B) {
	s, err := fleet()
	if err != nil {
		b.Fatal(err)
	}
	q := store.Query{}
	for depth := 0; depth <= 900; depth += 300 {
		b.Run(fmt.Sprint(depth), func(b *testing.B) {
			measure(b, func() error {
				_, err := s.List(b.Context(), q)
				return err
			})
		})
		for range 300 {
			page, err := s.List(b.Context(), q)
			if err != nil {
				b.Fatal(err)
			}
			q.After = page.Next
		}
	}
}

// BenchmarkScan applies a scan of one region: of nodes that are new, then of the same once more.
func BenchmarkScan(b *testing.B) {
	const count = 2000
	for name, again := range map[string]bool{"new": false, "again": true} {
		b.Run(name, func(b *testing.B) {
			s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "nodes.db"),
				store.Options{Create: true})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			m, err := s.CreateManager(b.Context(), nodes.Manager{Name: "prod", Type: nodes.ManagerEC2,
				Access: nodes.Access{Kind: nodes.AccessAmbient}})
			if err != nil {
				b.Fatal(err)
			}
			if again {
				if _, err := s.ApplyScan(b.Context(), bigScan(m.ID, 0, count, 0)); err != nil {
					b.Fatal(err)
				}
			}
			round := 0
			measure(b, func() error {
				round++
				of := round
				if again {
					of = 0
				}
				_, err := s.ApplyScan(b.Context(), bigScan(m.ID, of, count, round))
				return err
			})
			b.ReportMetric(count, "nodes/op")
		})
	}
}

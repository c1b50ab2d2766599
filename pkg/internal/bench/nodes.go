package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/nodes"
	"aws-provider-executor/pkg/nodes/store"
)

// regions are where large fleets are.
var regions = []string{"ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1",
	"ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2",
	"eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1"}

// nodes measures scans of fleets, and filters over what is known.
func (b *bench) nodes(ctx context.Context) (section, error) {
	s := section{about: fmt.Sprintf("Fleets in %d regions are scanned once more, when all is known. "+
		"Filters are those of actionctl nodes list and count, each a process of its own; the slowest "+
		"of them counts.", b.regions)}
	costs := map[int]float64{}
	for _, n := range b.scanned {
		took, calls, err := b.scan(ctx, n)
		if err != nil {
			return s, err
		}
		each := took.millis()
		for i := range each {
			each[i] = 1000 * each[i] / float64(n)
		}
		costs[n] = median(each)
		name := thousands(float64(n)) + " instances: "
		rows := []row{
			{name + "calls of a scan", count, []float64{float64(calls)},
				atMost(float64(b.regions * (1 + pages(n/b.regions)))), ""},
			{name + "CPU", ms, took.millis(), nil, ""},
			{name + "CPU of 1,000", ms, each, nil, ""},
			{name + "peak", mib, took.peaks(), atMost(100), ""},
		}
		if n == 10_000 {
			rows[0].short, rows[3].short = "nodes, "+rows[0].what, "nodes, "+rows[3].what
		}
		if first := b.scanned[0]; n != first {
			beside := fmt.Sprintf("%sCPU of an instance beside %s", name, thousands(float64(first)))
			rows = append(rows, row{beside, times, []float64{costs[n] / costs[first]}, atMost(1.25), ""})
		}
		s.rows = append(s.rows, rows...)
	}
	filters, err := b.filters(ctx)
	s.rows = append(s.rows, filters.rows...)
	s.curves = append(filters.curves, curve{"a node scanned, by instances of the fleet", costs})
	return s, err
}

// pages are how many EC2 shows so many instances of a region in.
func pages(n int) int { return (n + 999) / 1000 }

// scan scans a fleet that is known already, a few times.
func (b *bench) scan(ctx context.Context, n int) (took series, calls int, err error) {
	sim := ec2sim.New(ec2sim.WithCredentials(ec2sim.LabCredential))
	for _, r := range regions[:b.regions] {
		sim.Region(r).AddFleet(ec2sim.Instance{Tags: ec2sim.Tags{"Name": "web-{n}"}}, n/b.regions)
	}
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		return nil, 0, err
	}
	defer server.Close()
	env := append(server.Env(), "PATH="+os.Getenv("PATH"), "AWS_ENDPOINT_URL="+server.URL(),
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "HOME="+b.dir,
		"ACTIONCTL_NODES="+filepath.Join(b.dir, fmt.Sprintf("scanned-%d.db", n)))
	ctl := b.program("actionctl")
	_, _, err = b.measured(ctx, command{[]string{ctl, "nodes", "managers", "create", "--type",
		"aws-ec2", "--name", "fleet", "--regions", strings.Join(regions[:b.regions], ",")}, env, ""})
	if err != nil {
		return nil, 0, err
	}
	for range b.few {
		before := len(sim.Calls())
		one, _, err := b.measured(ctx, command{[]string{ctl, "nodes", "scan"}, env, ""})
		if err != nil {
			return nil, 0, err
		}
		calls = len(sim.Calls()) - before
		took = append(took, one)
	}
	return took, calls, nil
}

// keptFilters are asked of all nodes that a store keeps.
var keptFilters = []string{
	"region=us-west-3", "name=web-0999*", "name=*9999", "tag:env=prod,state=running",
	"region=us-west*,tag:Name=web*,!tag:env=prod", "address=10.3.7.9", "tag:none=x",
}

// asked are what filters took, by what was done with which, and by the number of nodes.
type asked map[string]map[int]series

// slowest is what took the longest of all that was done with so many nodes.
func (a asked) slowest(n int) (slowest series) {
	for _, took := range a {
		if slowest == nil || took[n].cpu() > slowest.cpu() {
			slowest = took[n]
		}
	}
	return slowest
}

// filters measures filters over stores of different sizes.
func (b *bench) filters(ctx context.Context) (s section, err error) {
	took, err := b.askAll(ctx)
	if err != nil {
		return s, err
	}
	start, err := b.startOf(ctx)
	if err != nil {
		return s, err
	}
	costs := map[int]float64{}
	for _, n := range b.kept {
		slowest := took.slowest(n)
		costs[n] = slowest.cpu()
		beyond := slowest.millis()
		for i := range beyond {
			beyond[i] -= start.cpu()
		}
		what := "the slowest filter over " + thousands(float64(n)) + " nodes: CPU without the start"
		r := row{what, ms, beyond, nil, ""}
		if n == 100_000 {
			r.aim, r.short = atMost(50), r.what
		}
		s.rows = append(s.rows, r)
	}
	s.rows = append(s.rows, row{"the start of actionctl alone: CPU", ms, start.millis(), nil, ""})
	s.curves = []curve{{"the slowest filter, by nodes of the store", costs}}
	return s, nil
}

// askAll lists and counts by every filter. The sizes take turns.
func (b *bench) askAll(ctx context.Context) (asked, error) {
	took := asked{}
	for _, n := range b.kept {
		if err := keepNodes(ctx, b.store(n), n); err != nil {
			return nil, err
		}
	}
	for range max(1, b.rounds/8) {
		for _, filter := range keptFilters {
			for _, what := range []string{"list", "count"} {
				of := what + " " + filter
				if took[of] == nil {
					took[of] = map[int]series{}
				}
				for _, n := range b.kept {
					one, err := b.askNodes(ctx, n, what, "--filter", filter)
					if err != nil {
						return nil, err
					}
					took[of][n] = append(took[of][n], one)
				}
			}
		}
	}
	return took, nil
}

// store is the file of a store of so many nodes.
func (b *bench) store(n int) string { return filepath.Join(b.dir, fmt.Sprintf("kept-%d.db", n)) }

// askNodes asks something of a store of so many nodes.
func (b *bench) askNodes(ctx context.Context, n int, args ...string) (sample, error) {
	argv := append([]string{b.program("actionctl"), "nodes"}, args...)
	env := []string{"ACTIONCTL_NODES=" + b.store(n), "HOME=" + b.dir}
	took, said, err := b.measured(ctx, command{append(argv, "-o", "json"), env, ""})
	if err == nil && !json.Valid(said) {
		err = fmt.Errorf("nodes %s: %s", args[0], tail(said))
	}
	return took, err
}

// startOf measures actionctl as it does next to nothing.
func (b *bench) startOf(ctx context.Context) (all series, err error) {
	if err := keepNodes(ctx, b.store(0), 0); err != nil {
		return nil, err
	}
	for range max(1, b.rounds/4) {
		one, err := b.askNodes(ctx, 0, "count")
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// keepNodes makes a store of so many nodes in 15 regions.
func keepNodes(ctx context.Context, path string, n int) error {
	s, err := store.Open(ctx, path, store.Options{Create: true})
	if err != nil {
		return err
	}
	defer s.Close()
	m, err := s.CreateManager(ctx, nodes.Manager{Name: "bench", Type: nodes.ManagerEC2,
		Access: nodes.Access{Kind: nodes.AccessAmbient}})
	if err != nil {
		return err
	}
	for r := range len(regions) {
		if _, err := s.ApplyScan(ctx, scanOf(m.ID, r, n/len(regions))); err != nil {
			return err
		}
	}
	return nil
}

// scanOf is a complete scan of one region with so many instances.
func scanOf(manager string, region, n int) nodes.Scan {
	at := time.Now().UTC()
	s := nodes.Scan{
		ManagerID: manager, AccountID: "111122223333", Region: fmt.Sprintf("us-west-%d", region),
		Type: nodes.TypeInstance, Verdict: nodes.Complete, Begun: at, Ended: at,
	}
	for i := range n {
		id := fmt.Sprintf("i-%02x%015x", region, i)
		name := fmt.Sprintf("web-%06d", i*len(regions)+region)
		state := nodes.StateRunning
		if i%20 == 19 {
			state = nodes.StateStopped
		}
		s.Seen = append(s.Seen, nodes.Sighting{
			ID: id, State: state, Name: name,
			Tags: map[string]string{"Name": name, "env": []string{"prod", "dev", "test"}[i%3],
				"team": fmt.Sprint("t", i%50)},
			Details: nodes.Details{
				Platform: "Linux/UNIX", Zone: s.Region + "a", InstanceType: "m5.large", VPCID: "vpc-1",
				Interfaces: []nodes.Interface{{ID: "eni-" + id, SubnetID: "subnet-1",
					Private: []string{fmt.Sprintf("10.%d.%d.%d", region, i/250%250, i%250)}}},
			},
		})
	}
	return s
}

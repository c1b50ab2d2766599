package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/inventory"
	"aws-provider-executor/pkg/protocol"
)

// crowd is a VPC of so many interfaces, each on an instance of its own, and one of them.
func crowd(n int) (sim *ec2sim.Sim, one string) {
	sim = ec2sim.New()
	r := sim.Region(region)
	vpc := r.AddVPC(ec2sim.VPC{CIDR: "10.0.0.0/16"})
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: vpc.ID, CIDR: "10.0.0.0/16"})
	r.AddFleet(ec2sim.Instance{SubnetID: subnet.ID, Type: "m5.large",
		Tags: ec2sim.Tags{"Name": "node-{n}", "role": "worker", "team": "network"}}, n)
	return sim, r.State().Interfaces[0].ID
}

// inventory measures observations of larger and larger VPCs.
func (b *bench) inventory(ctx context.Context) (section, error) {
	s := section{about: "Whole VPCs are observed. What is too large for a core to read is refused, " +
		"with how to narrow it, once all is read."}
	costs := map[int]float64{}
	for _, n := range b.interfaces {
		took, calls, size, err := b.observe(ctx, n)
		if err != nil {
			return s, err
		}
		each := took.millis()
		for i := range each {
			each[i] = 1000 * each[i] / float64(n)
		}
		costs[n] = median(each)
		name := thousands(float64(n)) + " interfaces: "
		rows := []row{
			{name + "calls", count, []float64{float64(calls)}, nil, ""},
			{name + "CPU", ms, took.millis(), nil, ""},
			{name + "CPU of 1,000", ms, each, nil, ""},
			{name + "peak", mib, took.peaks(), nil, ""},
			{name + "result", mib, []float64{float64(size) / (1 << 20)},
				atMost(float64(protocol.MaxResultBytes) / (1 << 20)), ""},
		}
		if n == 10_000 {
			for i, to := range map[int]*aim{0: atMost(15), 3: atMost(64)} {
				rows[i].aim, rows[i].short = to, "an inventory of "+rows[i].what
			}
		}
		if first := b.interfaces[0]; n != first {
			beside := fmt.Sprintf("%sCPU of an interface beside %s", name, thousands(float64(first)))
			rows = append(rows, row{beside, times, []float64{costs[n] / costs[first]}, atMost(1.25),
				"an inventory of " + beside})
		}
		s.rows = append(s.rows, rows...)
	}
	s.curves = []curve{{"an interface observed, by interfaces of the VPC", costs}}
	return s, nil
}

// observe observes a VPC of so many interfaces a few times.
func (b *bench) observe(
	ctx context.Context, n int,
) (took series, calls, size int, err error) {
	sim, self := crowd(n)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{})
	if err != nil {
		return nil, 0, 0, err
	}
	defer server.Close()
	env := append(server.Env(), "PATH="+os.Getenv("PATH"), "EXECUTOR_TIMEOUT=10m")
	request := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"spec":{"provider":"aws",`+
		`"providerRef":"lab-aws","strategy":"route-table","selfNicRef":%q,"target":{"region":%q}}}`,
		inventory.APIVersion, inventory.RequestKind, self, region)
	for range b.few {
		before := len(sim.Calls())
		one, said, err := b.measured(ctx,
			command{[]string{b.program("aws-provider-inventory")}, env, request})
		if err != nil {
			return nil, 0, 0, err
		}
		calls, size = len(sim.Calls())-before, len(said)
		if err := checkObserved(said, n); err != nil {
			return nil, 0, 0, err
		}
		took = append(took, one)
	}
	return took, calls, size, nil
}

// checkObserved holds an observation against the number of interfaces that there are.
func checkObserved(said []byte, n int) error {
	var result struct {
		Status struct {
			Status, Error string
			IPs           []json.RawMessage
		}
	}
	if err := json.Unmarshal(said, &result); err != nil {
		return err
	}
	s := result.Status
	told := fmt.Sprintf("the result, of %d addresses", n)
	if s.Status == "succeeded" && len(s.IPs) == n ||
		strings.Contains(s.Error, told) && strings.Contains(s.Error, "narrow it with") {
		return nil
	}
	return fmt.Errorf("of %d interfaces the inventory says %s, %d addresses: %s", n, s.Status,
		len(s.IPs), s.Error)
}

// groupsEach is how many security groups EC2 lets an interface have at most.
const groupsEach = 16

// fence measures the fence and the unfence of an instance with more and more interfaces.
func (b *bench) fence(ctx context.Context) (section, error) {
	s := section{about: fmt.Sprintf("One of %d groups is taken from every interface of an instance, "+
		"and then given back.", groupsEach)}
	var before series
	for i, n := range b.fenced {
		fenced, unfenced, calls, err := b.fenceRounds(ctx, n)
		if err != nil {
			return s, err
		}
		name := fmt.Sprintf("%d interfaces: ", n)
		if n == 1 {
			name = "1 interface: "
		}
		s.rows = append(s.rows,
			row{name + "calls of the fence", count, []float64{float64(calls)}, nil, ""},
			row{name + "CPU of the fence", ms, fenced.millis(), nil, ""},
			row{name + "CPU of the unfence", ms, unfenced.millis(), nil, ""},
			row{name + "peak", mib, append(fenced.peaks(), unfenced.peaks()...), nil, ""})
		both := slices.Concat(fenced, unfenced)
		if i > 0 && i == len(b.fenced)-1 {
			r := linear(name, both, n, before, b.fenced[i-1])
			r.short = "a fence of " + r.what
			s.rows = append(s.rows, r)
		}
		before = both
	}
	return s, nil
}

// linear holds the cost at a size against that at a smaller one: it grows no faster than the size.
func linear(name string, took series, size int, less series, smaller int) row {
	what := fmt.Sprintf("%sCPU beside %s", name, thousands(float64(smaller)))
	return row{what, times, took.over(less), atMost(float64(size) / float64(smaller)), ""}
}

// fenceRounds fences and unfences an instance with so many interfaces.
func (b *bench) fenceRounds(
	ctx context.Context, n int,
) (fenced, unfenced series, calls int, err error) {
	sim := ec2sim.New(ec2sim.Lab(), ec2sim.WithQuotas(ec2sim.Quotas{
		GroupsPerInterface: groupsEach, InterfacesPerInstance: n}))
	r := sim.Region(region)
	var groups []string
	for i := range groupsEach {
		g := r.AddSecurityGroup(ec2sim.SecurityGroup{VPCID: ec2sim.LabVPC, Name: fmt.Sprint("bench-", i)})
		groups = append(groups, g.ID)
	}
	interfaces := make([]ec2sim.Interface, n)
	for i := range interfaces {
		interfaces[i] = ec2sim.Interface{SubnetID: ec2sim.LabSubnetC, Groups: groups}
	}
	instance := r.AddInstance(ec2sim.Instance{Type: "m5.24xlarge", State: "running"}, interfaces...)
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return nil, nil, 0, err
	}
	defer server.Close()
	env := append(server.Env(), "PATH="+os.Getenv("PATH"),
		"EXECUTOR_STATE_DIR="+filepath.Join(b.dir, fmt.Sprint("fence-", n)))
	target := fmt.Sprintf(`"instanceRef":%q`, instance.ID)
	for i := range 1 + b.rounds/4 {
		key := fmt.Sprintf("bench-%d", i)
		before := len(sim.Calls())
		did, err := b.asked(ctx, env, requestFor("execute", "fence-security-groups", key, target,
			fmt.Sprintf(`"securityGroups":%q`, groups[0])))
		if err != nil {
			return nil, nil, 0, err
		}
		calls = len(sim.Calls()) - before
		undid, err := b.asked(ctx, env,
			requestFor("execute", "unfence-security-groups", key+":undo", target, ""))
		if err != nil {
			return nil, nil, 0, err
		}
		fenced, unfenced = append(fenced, did), append(unfenced, undid)
	}
	return fenced, unfenced, calls, nil
}

// policyOf is a policy that allows so many networks. The one that is asked for is the last.
func policyOf(networks int) string {
	var b strings.Builder
	b.WriteString(`apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: bench}
spec:
  enabled: true
  dryRunOnly: false
  allowedProviders: [aws]
  allowedActions: [assign-secondary-ip, unassign-secondary-ip]
  maxActionsPerRun: 1
  allowUndo: true
  allowedCIDRs:
`)
	for i := range networks - 1 {
		fmt.Fprintf(&b, "  - 172.%d.%d.0/24\n", 16+i/256%16, i%256)
	}
	b.WriteString("  - 10.88.60.0/24\n")
	return b.String()
}

// policy measures a dry-run under policies of more and more networks.
func (b *bench) policy(ctx context.Context) (section, error) {
	s := section{about: "A dry-run under a policy, which is read and asked each time. The network " +
		"that it needs is the last."}
	server, err := ec2sim.Start(ec2sim.New(ec2sim.Lab()),
		ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return s, err
	}
	defer server.Close()
	all := make([]series, len(b.networks))
	for i := range warmUp + b.rounds {
		for n, networks := range b.networks {
			file := filepath.Join(b.dir, fmt.Sprintf("policy-%d.yaml", networks))
			if i == 0 {
				if err := os.WriteFile(file, []byte(policyOf(networks)), 0o600); err != nil {
					return s, err
				}
			}
			env := append(server.Env(), "PATH="+os.Getenv("PATH"), "EXECUTOR_STATE_DIR=none",
				"EXECUTOR_POLICY="+file)
			took, err := b.asked(ctx, env, assign("dry-run", "bench"))
			if err != nil {
				return s, err
			}
			if i >= warmUp {
				all[n] = append(all[n], took)
			}
		}
	}
	for n, networks := range b.networks {
		name := thousands(float64(networks)) + " networks: "
		if networks == 1 {
			name = "1 network: "
		}
		s.rows = append(s.rows, row{name + "CPU of a dry-run", ms, all[n].millis(), nil, ""},
			row{name + "peak", mib, all[n].peaks(), nil, ""})
	}
	last := len(b.networks) - 1
	name := thousands(float64(b.networks[last])) + " networks: "
	r := linear(name, all[last], b.networks[last], all[last-1], b.networks[last-1])
	r.short = "a dry-run under a policy of " + r.what
	s.rows = append(s.rows, r)
	return s, nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"aws-provider-executor/pkg/ec2sim"
)

const policyText = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: bench}
spec: {enabled: true, dryRunOnly: false, allowedProviders: [aws],
  allowedActions: [assign-secondary-ip],
  allowedCIDRs: [10.88.0.0/16], maxActionsPerRun: 1000000, allowUndo: true}
`

// gated is a gate with a journal of its own, and a world of interfaces that its actions are for.
type gated struct {
	*bench
	dir    string
	env    []string
	sim    *ec2sim.Sim
	server *ec2sim.Server
	nics   []string
	// imported is how many actions its journal has.
	imported int
}

// newGated makes a gate whose actions are for so many interfaces.
func (b *bench) newGated(interfaces int) (*gated, error) {
	dir, err := os.MkdirTemp(b.dir, "gate")
	if err != nil {
		return nil, err
	}
	g := &gated{bench: b, dir: dir, sim: ec2sim.New(ec2sim.Lab(),
		ec2sim.WithQuotas(ec2sim.Quotas{AddressesPerInterface: 1000}))}
	r := g.sim.Region(region)
	subnet := r.AddSubnet(ec2sim.Subnet{VPCID: ec2sim.LabVPC, CIDR: "10.88.128.0/17"})
	for i := range interfaces {
		made := r.AddInterface(ec2sim.Interface{SubnetID: subnet.ID,
			PrivateAddresses: []ec2sim.PrivateAddress{
				{Address: fmt.Sprintf("10.88.254.%d", i+1), Primary: true}}})
		g.nics = append(g.nics, made.ID)
	}
	g.server, err = ec2sim.Start(g.sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return nil, err
	}
	policy := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policy, []byte(policyText), 0o600); err != nil {
		g.close()
		return nil, err
	}
	g.env = append(g.server.RoleEnv(), "PATH="+os.Getenv("PATH"), "USER=bench", "HOME="+dir,
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"), "ACTIONCTL_POLICY="+policy,
		"ACTIONCTL_JOURNAL="+filepath.Join(dir, "journal.db"))
	return g, nil
}

func (g *gated) close() { g.server.Close() }

// ctl runs actionctl.
func (g *gated) ctl(ctx context.Context, args ...string) (sample, []byte, error) {
	return g.measured(ctx, command{append([]string{g.program("actionctl")}, args...), g.env, ""})
}

// add imports so many more actions, each to assign an address of its own, as far as there are any.
func (g *gated) add(ctx context.Context, n int) (sample, error) {
	const addresses = 100 * 200
	var plans []map[string]any
	for i := g.imported; i < g.imported+n; i++ {
		plans = append(plans, map[string]any{
			"provider": "aws", "action": "assign-secondary-ip", "riskLevel": "low",
			"idempotencyKey": fmt.Sprint("bench-", i), "description": "an address for the bench",
			"target": map[string]string{
				"nicRef": g.nics[i%len(g.nics)], "region": region,
				"address": fmt.Sprintf("10.88.%d.%d", 128+i%addresses/200, 10+i%200),
			},
		})
	}
	text, err := json.Marshal(plans)
	if err != nil {
		return sample{}, err
	}
	file := filepath.Join(g.dir, "plans.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return sample{}, err
	}
	took, _, err := g.ctl(ctx, "import", "-f", file, "-o", "json")
	if err == nil {
		g.imported += n
	}
	return took, err
}

// approve approves actions from one id to another.
func (g *gated) approve(ctx context.Context, from, to int) (sample, error) {
	args := []string{"approve", "--by", "bench"}
	for id := from; id <= to; id++ {
		args = append(args, strconv.Itoa(id))
	}
	took, _, err := g.ctl(ctx, args...)
	return took, err
}

// executeAll executes all that is approved, and counts the calls to EC2.
func (g *gated) executeAll(ctx context.Context, parallel int) (sample, int, error) {
	before := len(g.sim.Calls())
	took, _, err := g.ctl(ctx, "execute", "--all-approved", "--parallel", strconv.Itoa(parallel))
	return took, len(g.sim.Calls()) - before, err
}

// serve measures many approved actions that one executor carries out.
func (b *bench) serve(ctx context.Context) (section, error) {
	n := float64(b.executions)
	s := section{about: fmt.Sprintf("%s approved actions on 40 interfaces of the stand-in, %d at "+
		"once, by one executor that serves. The CPU of an action is that of executor, gate and "+
		"journal. How many a second is by the clock, the stand-in on the same cores included.",
		thousands(n), b.parallel)}
	var rate, cpu, sims, peak, calls []float64
	for range b.few {
		g, err := b.newGated(40)
		if err != nil {
			return s, err
		}
		_, err = g.add(ctx, b.executions)
		if err == nil {
			_, err = g.approve(ctx, 1, b.executions)
		}
		own := ownMillis()
		var took sample
		var sent int
		if err == nil {
			took, sent, err = g.executeAll(ctx, b.parallel)
		}
		own = ownMillis() - own
		g.close()
		if err != nil {
			return s, err
		}
		rate = append(rate, n/took.wall.Seconds())
		cpu = append(cpu, float64(took.cpu.Microseconds())/1000/n)
		sims, calls = append(sims, own/n), append(calls, float64(sent)/n)
		peak = append(peak, took.peak)
	}
	const perSecond, each = "actions a second", "CPU of an action"
	s.rows = []row{
		{perSecond, count, rate, atLeast(400), fmt.Sprintf("%s approved actions: %s", thousands(n),
			perSecond)},
		{each, ms, cpu, atMost(5), fmt.Sprintf("%s approved actions: %s", thousands(n), each)},
		{"CPU of the stand-in for an action", ms, sims, nil, ""},
		{"calls to EC2 for an action", times, calls, nil, ""},
		{"peak of the largest process", mib, peak, nil, ""},
	}
	return s, nil
}

// ownMillis is the processor time of this program, in which the stand-in is.
func ownMillis() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
}

// joined counts the calls to EC2 for many addresses of one interface.
func (b *bench) joined(ctx context.Context) (section, error) {
	s := section{about: "Requests for one interface in one stream may be joined: one call assigns " +
		"all their addresses. Each has its own record, result and undo."}
	for _, n := range b.addresses {
		var calls, cpu []float64
		for range b.few {
			g, err := b.newGated(1)
			if err != nil {
				return s, err
			}
			_, err = g.add(ctx, n)
			if err == nil {
				_, err = g.approve(ctx, 1, n)
			}
			var took sample
			var sent int
			if err == nil {
				took, sent, err = g.executeAll(ctx, min(n, 64))
			}
			g.close()
			if err != nil {
				return s, err
			}
			calls = append(calls, float64(sent))
			cpu = append(cpu, float64(took.cpu.Microseconds())/1000/float64(n))
		}
		name := fmt.Sprintf("%d addresses of one interface: ", n)
		if n == 1 {
			name = "one address of one interface: "
		}
		r := row{name + "calls to EC2", count, calls, nil, ""}
		if n == 50 {
			r.aim, r.short = atMost(5), r.what
		}
		s.rows = append(s.rows, r, row{name + "CPU for each", ms, cpu, nil, ""})
	}
	return s, nil
}

// journal measures a journal as it grows.
func (b *bench) journal(ctx context.Context) (section, error) {
	s := section{about: "By actionctl, each a process of its own, on SQLite. Sizes take turns. One " +
		"is executed with the executor."}
	var all []*grownJournal
	for _, size := range b.actions {
		j, err := b.growJournal(ctx, size)
		if err != nil {
			return s, err
		}
		defer j.close()
		all = append(all, j)
	}
	for i := range max(1, b.rounds/3) {
		for _, j := range all {
			if err := j.one(ctx, i); err != nil {
				return s, err
			}
		}
	}
	for _, j := range all {
		s.rows = append(s.rows, j.rows(b.tail)...)
	}
	first := all[0]
	for _, what := range oneOfMany {
		costs := map[int]float64{}
		for _, j := range all {
			costs[j.size] = j.each[what].cpu()
			if j == first {
				continue
			}
			s.rows = append(s.rows, row{fmt.Sprintf("%s: %s, CPU beside %s", thousands(float64(j.size)),
				what, thousands(float64(first.size))), times, j.each[what].over(first.each[what]), atMost(2),
				""})
		}
		s.curves = append(s.curves, curve{what + ", by rows of the journal", costs})
	}
	return s, nil
}

// oneOfMany are what is done with one action, or a page of them.
var oneOfMany = []string{"list", "show", "approve", "execute one"}

// grownJournal is a journal of some size, and what was measured of it.
type grownJournal struct {
	*gated
	size                   int
	imports, verifies, end series
	each                   map[string]series
	bytes                  int64
}

// largestImport is how many actions are imported at once.
const largestImport = 100_000

// growJournal imports, verifies, and adds a tail that is verified too. A journal that is larger
// than what is imported at once is made in parts, and only once.
func (b *bench) growJournal(ctx context.Context, size int) (*grownJournal, error) {
	j := &grownJournal{size: size, each: map[string]series{}}
	rounds := b.few
	if size > largestImport {
		rounds = 1
	}
	for i := range rounds {
		g, err := b.newGated(40)
		if err != nil {
			return nil, err
		}
		for g.imported < size && err == nil {
			var took sample
			took, err = g.add(ctx, min(size-g.imported, largestImport))
			j.imports = append(j.imports, took)
		}
		if err != nil {
			g.close()
			return nil, err
		}
		if i == rounds-1 {
			j.gated = g
			break
		}
		g.close()
		os.RemoveAll(g.dir)
	}
	return j, j.verify(ctx)
}

func (j *grownJournal) verify(ctx context.Context) error {
	info, err := os.Stat(filepath.Join(j.dir, "journal.db"))
	if err != nil {
		return err
	}
	j.bytes = info.Size()
	for range j.few {
		took, _, err := j.ctl(ctx, "journal", "--verify")
		if err != nil {
			return err
		}
		j.verifies = append(j.verifies, took)
	}
	_, head, err := j.ctl(ctx, "journal", "head")
	if err != nil {
		return err
	}
	if _, err := j.add(ctx, j.tail); err != nil {
		return err
	}
	for range j.few {
		took, _, err := j.ctl(ctx, "journal", "--verify", "--from", string(bytes.TrimSpace(head)))
		if err != nil {
			return err
		}
		j.end = append(j.end, took)
	}
	return nil
}

// one does what is done with one action, the ith time.
func (j *grownJournal) one(ctx context.Context, i int) error {
	id := strconv.Itoa(j.size/2 + i)
	for _, what := range oneOfMany {
		args := []string{what, id}
		switch what {
		case "list":
			args = []string{"list", "-o", "json", "--after", id}
		case "approve":
			args = append(args, "--by", "bench")
		case "execute one":
			args[0] = "execute"
		}
		took, _, err := j.ctl(ctx, args...)
		if err != nil {
			return err
		}
		j.each[what] = append(j.each[what], took)
	}
	return nil
}

func (j *grownJournal) rows(tail int) []row {
	name := thousands(float64(j.size)) + " actions"
	bytes := []float64{float64(j.bytes) / float64(j.size)}
	imported := ": import, "
	if j.size > largestImport {
		imported = fmt.Sprintf(": import of %s at once, ", thousands(largestImport))
	}
	rows := []row{
		{name + imported + "CPU", ms, j.imports.millis(), nil, ""},
		{name + imported + "peak", mib, j.imports.peaks(), nil, ""},
		{name + ": bytes of the file for each", count, bytes, nil, ""},
		{name + ": verify all, CPU", ms, j.verifies.millis(), nil, ""},
		{fmt.Sprintf("%s: verify %s more from a kept head, CPU", name, thousands(float64(tail))), ms,
			j.end.millis(), nil, ""},
	}
	if j.size == largestImport {
		for i, to := range map[int]*aim{
			0: atMost(8000), 1: atMost(200), 3: atMost(2000), 4: atMost(200),
		} {
			rows[i].aim, rows[i].short = to, "a journal of "+rows[i].what
		}
	}
	for _, what := range oneOfMany {
		rows = append(rows, row{name + ": " + what + ", CPU", ms, j.each[what].millis(), nil, ""})
	}
	return rows
}

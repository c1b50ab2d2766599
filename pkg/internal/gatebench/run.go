package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/gate"
	"aws-provider-executor/pkg/journal"
)

// What the project promises, on two cores.
const (
	wantRate = 200.0                  // actions executed in a second, the stand-in included
	wantCPU  = 5.0                    // milliseconds of an action, gate, journal and executor
	wantPage = 100 * time.Millisecond // to list a page of the largest journal
)

const policyText = `apiVersion: hybrid.routerd.net/v1alpha1
kind: ProviderActionPolicy
metadata: {name: bench}
spec: {enabled: true, dryRunOnly: false, allowedProviders: [aws],
  allowedActions: [assign-secondary-ip],
  allowedCIDRs: [10.88.0.0/16], maxActionsPerRun: 1000000, allowUndo: true}
`

type bench struct {
	out       io.Writer
	dir       string
	actionctl string
	env       []string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("gatebench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	executions := flags.Int("executions", 1000, "how many actions to execute")
	parallel := flags.Int("parallel", 16, "how many at once")
	actions := flags.Int("actions", 100_000, "how many actions the journal gets")
	if err := flags.Parse(args); err != nil {
		return err
	}
	actionctl, err := filepath.Abs(filepath.Join(*bin, "actionctl"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gatebench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{out: out, dir: dir, actionctl: actionctl}
	return errors.Join(b.executions(ctx, *executions, *parallel), b.journal(ctx, *actions))
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// timed runs actionctl, and fails when it does.
func (b *bench) timed(ctx context.Context, args ...string) (time.Duration, error) {
	c := exec.CommandContext(ctx, b.actionctl, args...)
	var said bytes.Buffer
	c.Env, c.Stderr = b.env, &said
	begin := time.Now()
	if err := c.Run(); err != nil {
		return 0, fmt.Errorf("actionctl %s: %w: %s", args[0], err, said.Bytes())
	}
	return time.Since(begin), nil
}

// importPlans imports plans by their numbers.
func (b *bench) importPlans(
	ctx context.Context, from, to int, target func(i int) map[string]string,
) (time.Duration, error) {
	var plans []map[string]any
	for i := from; i < to; i++ {
		plans = append(plans,
			map[string]any{"provider": "aws", "action": "assign-secondary-ip",
				"idempotencyKey": fmt.Sprint("bench-", i),
				"riskLevel":      "low", "description": "an address for the bench", "target": target(i)})
	}
	text, err := json.Marshal(plans)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(b.path("plans.json"), text, 0o600); err != nil {
		return 0, err
	}
	return b.timed(ctx, "import", "-f", b.path("plans.json"), "-o", "json")
}

const interfaces = 40

// executions measures approved actions by an executor process that serves them.
func (b *bench) executions(ctx context.Context, n, parallel int) error {
	sim := ec2sim.New(ec2sim.Lab())
	region := sim.Region(ec2sim.LabRegion)
	var nics []string
	region.AddSubnet(
		ec2sim.Subnet{ID: "subnet-0be00000000000000", VPCID: ec2sim.LabVPC, CIDR: "10.88.128.0/17"})
	for i := range interfaces {
		nic := region.AddInterface(ec2sim.Interface{SubnetID: "subnet-0be00000000000000",
			PrivateAddresses: []ec2sim.PrivateAddress{
				{Address: fmt.Sprintf("10.88.254.%d", i+1), Primary: true}}})
		nics = append(nics, nic.ID)
	}
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		return err
	}
	defer server.Close()
	if err := os.WriteFile(b.path("policy.yaml"), []byte(policyText), 0o600); err != nil {
		return err
	}
	b.env = append(server.RoleEnv(), "PATH="+os.Getenv("PATH"), "EXECUTOR_STATE_DIR="+b.path("state"),
		"ACTIONCTL_JOURNAL="+b.path("executions.db"), "ACTIONCTL_POLICY="+b.path("policy.yaml"),
		"USER=bench")
	if _, err := b.importPlans(ctx, 0, n, func(i int) map[string]string {
		return map[string]string{"nicRef": nics[i%interfaces],
			"address": fmt.Sprintf("10.88.%d.%d", 128+i/200, 10+i%200), "region": ec2sim.LabRegion}
	}); err != nil {
		return err
	}
	approve := []string{"approve", "--by", "bench"}
	for i := range n {
		approve = append(approve, fmt.Sprint(i+1))
	}
	if _, err := b.timed(ctx, approve...); err != nil {
		return err
	}
	own, theirs := cpuSeconds(syscall.RUSAGE_SELF), cpuSeconds(syscall.RUSAGE_CHILDREN)
	took, err := b.timed(ctx, "execute", "--all-approved", "--parallel", fmt.Sprint(parallel))
	if err != nil {
		return err
	}
	own, theirs = cpuSeconds(syscall.RUSAGE_SELF)-own, cpuSeconds(syscall.RUSAGE_CHILDREN)-theirs
	each := (own + theirs) / float64(n)
	rate := float64(n) / took.Seconds()
	fmt.Fprintf(
		b.out, "execute: %d approved actions, %d at once, %.1f s: %.0f a second (at least %.0f)\n", n,
		parallel, took.Seconds(), rate, wantRate)
	fmt.Fprintf(
		b.out, "         %.1f ms of processor time each (at most %.0f), and %.1f of the stand-in: two "+
			"idle cores do %.0f a second\n", 1000*theirs/float64(n), wantCPU, 1000*own/float64(n), 2/each)
	verify, err := b.timed(ctx, "journal", "--verify")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "verify:  their journal, %.2f s\n", verify.Seconds())
	// On a machine that others use too, the clock measures them; the processor time does not.
	if max(rate, 2/each) < wantRate {
		return fmt.Errorf("%.0f actions a second are fewer than %.0f", rate, wantRate)
	}
	return nil
}

// journal measures a journal as it grows.
func (b *bench) journal(ctx context.Context, n int) error {
	path := b.path("large.db")
	b.env = []string{"PATH=" + os.Getenv("PATH"), "ACTIONCTL_JOURNAL=" + path, "USER=bench"}
	step := max(1, n/5)
	fmt.Fprintf(b.out, "%9s %12s %12s %14s %14s %14s\n", "actions", "import/s", "bytes each",
		"first page", "last page", "by status")
	var worst time.Duration
	for have := 0; have < n; have += step {
		took, err := b.importPlans(ctx, have, have+step, func(i int) map[string]string {
			return map[string]string{"nicRef": "eni-01088600000000011", "address": "10.88.60.9",
				"region": ec2sim.LabRegion}
		})
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%9d %12.0f %12d", have+step, float64(step)/took.Seconds(),
			info.Size()/int64(have+step))
		for _, page := range [][]string{{}, {"--newest"},
			{"--status", string(gate.Pending), "--after", fmt.Sprint((have + step) / 2)}} {
			median, err := b.median(ctx, append([]string{"list", "-o", "json"}, page...)...)
			if err != nil {
				return err
			}
			worst = max(worst, median)
			line += fmt.Sprintf(" %11.1f ms", float64(median.Microseconds())/1000)
		}
		fmt.Fprintln(b.out, line)
	}
	if err := b.withinTheProcess(ctx, path); err != nil {
		return err
	}
	if worst > wantPage {
		return fmt.Errorf("a page took %s, longer than %s", worst, wantPage)
	}
	return nil
}

// withinTheProcess measures a page without the process around it.
func (b *bench) withinTheProcess(ctx context.Context, path string) error {
	j, err := journal.Open(ctx, path)
	if err != nil {
		return err
	}
	defer j.Close()
	begin := time.Now()
	if _, err := j.List(ctx, gate.Query{Limit: 100, Newest: true}); err != nil {
		return err
	}
	page := time.Since(begin)
	begin = time.Now()
	report, err := j.Verify(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(
		b.out, "a page without the process around it: %.1f ms; verifying all %d events: %.1f s\n",
		float64(page.Microseconds())/1000, report.Events, time.Since(begin).Seconds())
	return nil
}

// median is that of a few runs: the first ones find a cold cache, and others share the machine.
func (b *bench) median(ctx context.Context, args ...string) (time.Duration, error) {
	const rounds = 5
	var took [rounds]time.Duration
	for i := range took {
		var err error
		if took[i], err = b.timed(ctx, args...); err != nil {
			return 0, err
		}
	}
	for i := range took {
		for k := i; k > 0 && took[k] < took[k-1]; k-- {
			took[k], took[k-1] = took[k-1], took[k]
		}
	}
	return took[rounds/2], nil
}

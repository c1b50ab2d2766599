package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"aws-provider-executor/pkg/ec2sim"
)

const (
	nic     = ec2sim.LabRouterAInterface
	region  = ec2sim.LabRegion
	address = ec2sim.LabFreeAddress
	// peers are how often what others wrote runs: it takes long.
	peerRounds = 5
	// warmUp is how often everything runs before it is measured.
	warmUp = 2
)

//go:embed boto3_job.py
var boto3Job string

// requestFor is the request of one action.
func requestFor(mode, action, key, target, parameters string) string {
	return fmt.Sprintf(`{"apiVersion":"provideraction.routerd.net/v1alpha1",`+
		`"kind":"ExecuteActionRequest","spec":{"action":%q,"provider":"aws","mode":%q,`+
		`"idempotencyKey":%q,"target":{"region":%q,%s},"parameters":{%s}}}`,
		action, mode, key, region, target, parameters)
}

var oneAddress = fmt.Sprintf(`"nicRef":%q,"address":"%s/32"`, nic, address)

func assign(mode, key string) string {
	return requestFor(mode, "assign-secondary-ip", key, oneAddress, "")
}

func unassign(key string) string {
	return requestFor("execute", "unassign-secondary-ip", key+":undo", oneAddress,
		`"priorAssigned":"false"`)
}

func (b *bench) program(name string) string { return filepath.Join(b.bin, name) }

// asked runs the executor on one request, which it has to carry out.
func (b *bench) asked(ctx context.Context, env []string, request string) (sample, error) {
	argv := []string{b.program("aws-provider-executor")}
	s, said, err := b.measured(ctx, command{argv, env, request})
	if err != nil {
		return s, err
	}
	var result struct {
		Status struct{ Status, Error string }
	}
	err = json.Unmarshal(said, &result)
	if err != nil || result.Status.Status != "succeeded" {
		return s, fmt.Errorf("the executor answered %s", tail(said))
	}
	return s, nil
}

// contenders are the programs that do the same job, and what each took.
type contenders struct {
	executor, floor, boto3, cli series
	calls                       int
}

func (b *bench) executor(ctx context.Context) (section, error) {
	s := section{about: "The floor makes the same signed calls, and keeps one synced record before " +
		"a change. The script with boto3 keeps nothing; the AWS CLI is a process for each call."}
	for _, c := range []struct {
		name string
		tls  bool
		aim  map[string]float64
	}{
		{"HTTPS", true, map[string]float64{"dry-run": 1.3, "execute": 1.5}},
		{"HTTP", false, map[string]float64{"dry-run": 1.5, "execute": 1.5}},
	} {
		for _, mode := range []string{"dry-run", "execute"} {
			found, err := b.contend(ctx, mode, c.tls)
			if err != nil {
				return s, fmt.Errorf("%s, %s: %w", mode, c.name, err)
			}
			s.rows = append(s.rows, found.rows(mode+", "+c.name, c.aim[mode])...)
		}
	}
	info, err := os.Stat(b.program("aws-provider-executor"))
	if err != nil {
		return s, err
	}
	const binary = "the executor's binary"
	s.rows = append(s.rows,
		row{binary, mib, []float64{float64(info.Size()) / (1 << 20)}, atMost(12), binary})
	return s, nil
}

func (c contenders) rows(name string, aim float64) []row {
	rows := []row{
		{name + ": calls", count, []float64{float64(c.calls)}, nil, ""},
		{name + ": CPU beside the floor's", times, c.executor.over(c.floor), atMost(aim),
			name + ": CPU beside the floor's"},
		{name + ": CPU", ms, c.executor.millis(), nil, ""},
		{name + ": peak", mib, c.executor.peaks(), atMost(15), name + ": peak"},
		{name + ": the floor's peak", mib, c.floor.peaks(), nil, ""},
	}
	if len(c.cli) == 0 {
		return rows
	}
	scaled := func(s series) []float64 {
		all := s.millis()
		for i := range all {
			all[i] /= c.executor.cpu()
		}
		return all
	}
	return append(rows,
		row{name + ": the boto3 script's CPU beside it", times, scaled(c.boto3), nil, ""},
		row{name + ": the AWS CLI's CPU beside it", times, scaled(c.cli), atLeast(40), ""})
}

// contend lets the contenders take turns.
func (b *bench) contend(ctx context.Context, mode string, tls bool) (c contenders, err error) {
	sim := ec2sim.New(ec2sim.Lab())
	dir, err := os.MkdirTemp(b.dir, "")
	if err != nil {
		return c, err
	}
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{
		TLS: tls, CAFile: filepath.Join(dir, "ca.pem"), Metadata: ec2sim.LabMetadata(),
	})
	if err != nil {
		return c, err
	}
	defer server.Close()
	env := append(server.Env(), "PATH="+os.Getenv("PATH"),
		"EXECUTOR_STATE_DIR="+filepath.Join(dir, "state"))
	back := func(key string) error {
		if mode == "dry-run" {
			return nil
		}
		_, err := b.asked(ctx, env, unassign(key))
		return err
	}
	for i := range warmUp + b.rounds {
		key := fmt.Sprintf("bench-%d", i)
		before := len(sim.Calls())
		took, err := b.asked(ctx, env, assign(mode, key))
		if err != nil {
			return c, err
		}
		c.calls = len(sim.Calls()) - before
		if err := back(key); err != nil {
			return c, err
		}
		floor, _, err := b.measured(ctx, command{[]string{b.floor}, env, assign(mode, key+"-floor")})
		if err == nil {
			err = b.release(ctx, sim, env, key)
		}
		if err != nil {
			return c, err
		}
		if i >= warmUp {
			c.executor, c.floor = append(c.executor, took), append(c.floor, floor)
		}
	}
	return c, b.contendPeers(ctx, &c, sim, env, mode)
}

// release takes the address away again that another program assigned, if one did.
func (b *bench) release(ctx context.Context, sim *ec2sim.Sim, env []string, key string) error {
	for _, i := range sim.Region(region).State().Interfaces {
		for _, a := range i.PrivateAddresses {
			if i.ID == nic && a.Address == address {
				_, err := b.asked(ctx, env, requestFor("execute", "unassign-secondary-ip", key+"-release",
					oneAddress, ""))
				return err
			}
		}
	}
	return nil
}

// contendPeers measures what others wrote, a few times.
func (b *bench) contendPeers(
	ctx context.Context, c *contenders, sim *ec2sim.Sim, env []string, mode string,
) error {
	if b.python.Path == "" {
		return nil
	}
	script := filepath.Join(b.dir, "job.py")
	if err := os.WriteFile(script, []byte(boto3Job), 0o600); err != nil {
		return err
	}
	for i := range min(peerRounds, b.rounds) {
		key := fmt.Sprintf("bench-peers-%d", i)
		took, _, err := b.measured(ctx,
			command{[]string{b.python.Path, script}, env, assign(mode, key)})
		if err == nil {
			err = b.release(ctx, sim, env, key)
		}
		if err != nil {
			return err
		}
		c.boto3 = append(c.boto3, took)
		took, err = b.awsCLI(ctx, env, mode)
		if err == nil {
			err = b.release(ctx, sim, env, key+"-cli")
		}
		if err != nil {
			return err
		}
		c.cli = append(c.cli, took)
	}
	return nil
}

// awsCLI makes the executor's calls with the AWS CLI, a process for each.
func (b *bench) awsCLI(ctx context.Context, env []string, mode string) (sample, error) {
	const describe = "ec2 describe-network-interfaces --network-interface-ids " + nic
	calls := []string{describe, "ec2 describe-network-interfaces --filters Name=subnet-id,Values=*"}
	if mode == "execute" {
		calls = []string{describe, "ec2 assign-private-ip-addresses --network-interface-id " + nic +
			" --private-ip-addresses " + address, describe}
	}
	var all sample
	for _, args := range calls {
		s, _, err := b.measured(ctx, command{b.python.AWS(strings.Fields(args)...), env, ""})
		if err != nil {
			return all, err
		}
		all.cpu += s.cpu
		all.wall += s.wall
		all.peak = max(all.peak, s.peak)
	}
	return all, nil
}

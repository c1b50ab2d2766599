package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"aws-provider-executor/pkg/ec2sim/simproc"
	"aws-provider-executor/pkg/internal/peers"
)

type bench struct {
	dir, executor, floor string
	python               peers.Python
	rounds, cliRounds    int
	out                  io.Writer
	sim                  *simproc.Process
	env                  []string
}

// sample is what one run of a contender took, of its children too.
type sample struct {
	cpu, wall time.Duration
	// peak is the largest resident set, in KiB.
	peak int64
}

// contender is one way to do the job; a run is one or more processes.
type contender struct {
	name    string
	samples []sample
}

func (b *bench) compare(sim string, tls bool) error {
	scheme, args := "HTTP", []string{}
	if tls {
		scheme, args = "HTTPS", []string{"-tls", "-ca-file", filepath.Join(b.dir, "ca.pem")}
	}
	process, err := simproc.Start(context.Background(), sim, args...)
	if err != nil {
		return err
	}
	defer process.Stop()
	b.sim = process
	b.env = append(process.Env, "PATH="+os.Getenv("PATH"),
		"EXECUTOR_STATE_DIR="+filepath.Join(b.dir, "state"))
	for _, mode := range []string{"dry-run", "execute"} {
		executor, floor, cli, err := b.measure(mode)
		if err != nil {
			return fmt.Errorf("%s %s: %w", scheme, mode, err)
		}
		calls, err := b.calls(mode)
		if err != nil {
			return err
		}
		b.tell(scheme+" "+mode, calls, executor, floor, cli)
	}
	return nil
}

// measure lets the contenders take turns.
func (b *bench) measure(mode string) (executor, floor, cli contender, err error) {
	executor.name, floor.name, cli.name = "executor", "floor", "AWS CLI"
	for i := range b.rounds + 3 {
		warm := i >= 3
		key := fmt.Sprintf("bench-%s-%d-%d", mode, os.Getpid(), time.Now().UnixNano())
		turn := func(c *contender, path string) error {
			s, err := b.process(requestFor(mode, "assign-secondary-ip", key, ""), path)
			if warm {
				c.samples = append(c.samples, s)
			}
			if err == nil && mode == "execute" {
				_, err = b.process(
					requestFor("execute", "unassign-secondary-ip", key+":undo", `"priorAssigned":"false"`),
					b.executor)
			}
			return err
		}
		if err = turn(&executor, b.executor); err != nil {
			return
		}
		if err = turn(&floor, b.floor); err != nil {
			return
		}
	}
	if b.python.Path == "" {
		return
	}
	for range b.cliRounds {
		var s sample
		if s, err = b.awsCLI(mode); err != nil {
			return
		}
		cli.samples = append(cli.samples, s)
		back := requestFor("execute", "unassign-secondary-ip", "bench-cli", "")
		if _, err = b.process(back, b.executor); err != nil {
			return
		}
	}
	return
}

// process runs one program to its end.
func (b *bench) process(stdin string, argv ...string) (sample, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = b.env
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, stderr.String())
	}
	if argv[0] == b.executor {
		var result struct {
			Status struct{ Status, Error string }
		}
		if err := json.Unmarshal(stdout.Bytes(), &result); err != nil ||
			result.Status.Status != "succeeded" {
			return sample{}, fmt.Errorf("the executor answered %s", stdout.String())
		}
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sample{}, fmt.Errorf("this system does not tell what a process used")
	}
	return sample{
		cpu:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		wall: wall, peak: usage.Maxrss,
	}, nil
}

// awsCLI makes the executor's calls with the AWS CLI, a process for each.
func (b *bench) awsCLI(mode string) (sample, error) {
	describe := []string{"ec2", "describe-network-interfaces", "--network-interface-ids", nic}
	calls := [][]string{
		describe,
		{"ec2", "describe-network-interfaces", "--filters", "Name=subnet-id,Values=*"},
	}
	if mode == "execute" {
		calls = [][]string{
			describe,
			{"ec2", "assign-private-ip-addresses", "--network-interface-id", nic,
				"--private-ip-addresses", address},
			describe,
		}
	}
	var all sample
	for _, args := range calls {
		s, err := b.process("", b.python.AWS(args...)...)
		if err != nil {
			return all, err
		}
		all.cpu += s.cpu
		all.wall += s.wall
		all.peak = max(all.peak, s.peak)
	}
	return all, nil
}

// calls counts, in the stand-in's own log, what the executor sends for one request.
func (b *bench) calls(mode string) (int, error) {
	var before, after []json.RawMessage
	if err := b.sim.Control("calls", &before); err != nil {
		return 0, err
	}
	key := "bench-calls-" + mode
	if _, err := b.process(requestFor(mode, "assign-secondary-ip", key, ""), b.executor); err != nil {
		return 0, err
	}
	if err := b.sim.Control("calls", &after); err != nil {
		return 0, err
	}
	if mode == "execute" {
		undo := requestFor("execute", "unassign-secondary-ip", key+":undo", `"priorAssigned":"false"`)
		if _, err := b.process(undo, b.executor); err != nil {
			return 0, err
		}
	}
	return len(after) - len(before), nil
}

func (b *bench) tell(title string, calls int, executor, floor, cli contender) {
	fmt.Fprintf(b.out, "\n%s, %d calls to EC2\n", title, calls)
	fmt.Fprintf(b.out, "  %-9s  %10s  %10s  %9s\n", "", "CPU", "wall", "peak")
	for _, c := range []contender{executor, floor, cli} {
		if len(c.samples) == 0 {
			continue
		}
		m := c.median()
		fmt.Fprintf(b.out, "  %-9s  %s  %s  %5.1f MiB\n", c.name, seconds(m.cpu), seconds(m.wall),
			float64(m.peak)/1024)
	}
	e, f := executor.median(), floor.median()
	fmt.Fprintf(b.out, "  CPU %.2f of the floor's (at most 1.5), wall %.2f, peak %.2f",
		ratio(e.cpu, f.cpu), ratio(e.wall, f.wall), float64(e.peak)/float64(f.peak))
	if len(cli.samples) > 0 {
		c := cli.median()
		fmt.Fprintf(b.out, "; CPU 1/%.0f of the AWS CLI's (at most 1/40), wall 1/%.0f, peak 1/%.0f",
			ratio(c.cpu, e.cpu), ratio(c.wall, e.wall), float64(c.peak)/float64(e.peak))
	}
	fmt.Fprintln(b.out)
}

func (c contender) median() sample {
	of := func(f func(sample) int64) int64 {
		values := make([]int64, len(c.samples))
		for i, s := range c.samples {
			values[i] = f(s)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return sample{
		cpu:  time.Duration(of(func(s sample) int64 { return int64(s.cpu) })),
		wall: time.Duration(of(func(s sample) int64 { return int64(s.wall) })),
		peak: of(func(s sample) int64 { return s.peak }),
	}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"aws-provider-executor/pkg/peers"
)

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	rounds := flags.Int("rounds", 60, "how often each contender runs")
	cliRounds := flags.Int("cli-rounds", 5, "how often the AWS CLI runs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	floor := filepath.Join(dir, "floor")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", floor, "./pkg/bench/floor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the floor: %w: %s", err, text)
	}
	python, err := peers.FindPython()
	if err != nil {
		fmt.Fprintln(out, "without the AWS CLI:", err)
	}
	executor := filepath.Join(*bin, "aws-provider-executor")
	info, err := os.Stat(executor)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "binary: %.1f MiB (at most 12)\n", float64(info.Size())/(1<<20))
	for _, tls := range []bool{false, true} {
		b := bench{dir: dir, executor: executor, floor: floor, python: python, rounds: *rounds, cliRounds: *cliRounds, out: out}
		if err := b.compare(filepath.Join(*bin, "ec2sim"), tls); err != nil {
			return err
		}
	}
	return nil
}

// startSim starts the stand-in and returns the environment that points at it.
func startSim(ctx context.Context, path, dir string, tls bool) (env []string, err error) {
	args := []string{}
	if tls {
		args = append(args, "-tls", "-ca-file", filepath.Join(dir, "ca.pem"))
	}
	sim := exec.CommandContext(ctx, path, args...)
	sim.Cancel = func() error { return sim.Process.Signal(os.Interrupt) }
	sim.Stderr = os.Stderr
	stdout, err := sim.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := sim.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if setting, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			env = append(env, strings.ReplaceAll(setting, "'", ""))
		}
		if strings.HasPrefix(lines.Text(), "# try") {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		_ = sim.Wait()
	}()
	return append(env, "PATH="+os.Getenv("PATH")), lines.Err()
}

const (
	nic     = "eni-01088600000000011"
	region  = "ap-northeast-1"
	address = "10.88.60.9"
)

// requestFor is the request of the mode; the key is new on every call, so that every execute
// is a first one.
func requestFor(mode, action, key, parameters string) string {
	return fmt.Sprintf(`{"apiVersion":"provideraction.routerd.net/v1alpha1","kind":"ExecuteActionRequest","spec":{"action":%q,"provider":"aws","mode":%q,"idempotencyKey":%q,"target":{"nicRef":%q,"address":"%s/32","region":%q},"parameters":{%s}}}`,
		action, mode, key, nic, address, region, parameters)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%7.1f ms", float64(d.Microseconds())/1000) }

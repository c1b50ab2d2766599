package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"aws-provider-executor/pkg/internal/peers"
)

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := flags.String("bin", "bin", "where the built programs are")
	rounds := flags.Int("rounds", 60, "how often each contender runs")
	cliRounds := flags.Int("cli-rounds", 5, "how often the AWS CLI runs")
	records := flags.String("records", "0,1000,100000",
		"how many records the ledger has beside a measured action, in turn; empty for none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	floor := filepath.Join(dir, "floor")
	build := exec.Command("go", "build", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w",
		"-o", floor, "./pkg/internal/bench/floor")
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
		b := bench{dir: dir, executor: executor, floor: floor, python: python, rounds: *rounds,
			cliRounds: *cliRounds, out: out}
		if err := b.compare(filepath.Join(*bin, "ec2sim"), tls); err != nil {
			return err
		}
	}
	if *records == "" {
		return nil
	}
	b := bench{dir: dir, executor: executor, rounds: *rounds, out: out}
	return b.grown(filepath.Join(*bin, "ec2sim"), *records)
}

const (
	nic     = "eni-01088600000000011"
	region  = "ap-northeast-1"
	address = "10.88.60.9"
)

// requestFor is the request of the mode; the key is new on every call, so that every execute
// is a first one.
func requestFor(mode, action, key, parameters string) string {
	return fmt.Sprintf(`{"apiVersion":"provideraction.routerd.net/v1alpha1",`+
		`"kind":"ExecuteActionRequest","spec":{"action":%q,"provider":"aws","mode":%q,`+
		`"idempotencyKey":%q,"target":{"nicRef":%q,"address":"%s/32","region":%q},"parameters":{%s}}}`,
		action, mode, key, nic, address, region, parameters)
}

func seconds(d time.Duration) string {
	return fmt.Sprintf("%7.1f ms", float64(d.Microseconds())/1000)
}

// Command benchcompare runs Go's benchmarks of this tree and of an earlier commit, and has
// benchstat tell the difference. Both are built once. Then they take turns, so what else the
// machine does weighs on both.
//
// A package that one of the two lacks, or cannot build, is told and left out.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// packages have benchmarks that are worth a comparison.
var packages = []string{
	"pkg/action", "pkg/evidence", "pkg/history", "pkg/inventory", "pkg/journal", "pkg/ledger",
	"pkg/nodes/filter", "pkg/policy", "pkg/protocol", "pkg/wildcard",
}

// benchmarks are those that take no program and no minutes.
const benchmarks = "^Benchmark(ActAndUndo|Canonical|Decide|Decode|Encode|Import1000|Match|" +
	"ObserveAndWrite|Page|Parse|Rules|Strays|Verify10000)$"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, ".", os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchcompare:", err)
		os.Exit(1)
	}
}

// comparison is what is asked for.
type comparison struct {
	base, bench, each string
	rounds            int
	packages          []string
	// dir is for this run alone, log for what goes on.
	dir string
	log io.Writer
}

// side is one of the two trees.
type side struct {
	name, root string
	// programs are the built benchmarks, by package, results the file of their output.
	programs map[string]string
	results  string
}

// run compares the tree at a root.
func run(ctx context.Context, root string, args []string, out, log io.Writer) (err error) {
	c := comparison{log: log}
	flags := flag.NewFlagSet("benchcompare", flag.ContinueOnError)
	flags.StringVar(&c.base, "base", "", "the `revision` to compare with")
	flags.StringVar(&c.bench, "bench", benchmarks, "which benchmarks, as go test has it")
	flags.StringVar(&c.each, "benchtime", "200ms", "how long each runs in a round, as go test has it")
	flags.IntVar(&c.rounds, "count", 6, "how many rounds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.base == "" {
		return errors.New("name a revision to compare with, as in make bench-compare BASE=main")
	}
	if c.packages = flags.Args(); len(c.packages) == 0 {
		c.packages = packages
	}
	if c.dir, err = os.MkdirTemp("", "benchcompare"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir)
	base := side{name: "base", root: filepath.Join(c.dir, "tree")}
	if err := git(ctx, root, "worktree", "add", "--detach", base.root, c.base); err != nil {
		return err
	}
	defer func() {
		// Also after an interrupt.
		ctx := context.WithoutCancel(ctx)
		err = errors.Join(err, git(ctx, root, "worktree", "remove", "--force", base.root))
	}()
	now := side{name: "now", root: root}
	if err := c.compare(ctx, &base, &now); err != nil {
		return err
	}
	return c.tell(ctx, &base, &now, out)
}

func git(ctx context.Context, root string, args ...string) error {
	args = append([]string{"-C", root}, args...)
	if said, err := exec.CommandContext(ctx, "git", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said))
	}
	return nil
}

// compare runs the benchmarks of both, in turns.
func (c comparison) compare(ctx context.Context, base, now *side) error {
	sides := []*side{base, now}
	for _, s := range sides {
		if err := c.build(ctx, s); err != nil {
			return err
		}
	}
	for _, p := range c.packages {
		if base.programs[p] == "" || now.programs[p] == "" {
			fmt.Fprintf(c.log, "%s is left out: one of the two has no benchmarks of it\n", p)
		}
	}
	var failed error
	for round := range c.rounds {
		fmt.Fprintf(c.log, "round %d of %d\n", round+1, c.rounds)
		// Who comes first has a colder cache.
		order := []*side{sides[round%2], sides[1-round%2]}
		for _, p := range c.packages {
			for _, s := range order {
				if base.programs[p] == "" || now.programs[p] == "" {
					continue
				}
				if err := c.measure(ctx, s, p); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					failed = errors.Join(failed, err)
				}
			}
		}
	}
	return failed
}

// tell has benchstat tell the difference.
func (c comparison) tell(ctx context.Context, base, now *side, out io.Writer) error {
	stat := exec.CommandContext(ctx, "go", "tool", "benchstat", base.name+"="+base.results,
		now.name+"="+now.results)
	stat.Stdout, stat.Stderr = out, c.log
	return stat.Run()
}

// build builds the benchmarks of one side. One without a package goes without its benchmarks.
func (c comparison) build(ctx context.Context, s *side) error {
	s.programs = map[string]string{}
	s.results = filepath.Join(c.dir, s.name+".txt")
	if err := os.WriteFile(s.results, nil, 0o600); err != nil {
		return err
	}
	built := 0
	for _, p := range c.packages {
		program := filepath.Join(c.dir, s.name+"-"+strings.ReplaceAll(p, "/", "-"))
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+p)
		cmd.Dir, cmd.Env = s.root, append(os.Environ(), "CGO_ENABLED=0")
		if said, err := cmd.CombinedOutput(); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintf(c.log, "%s cannot build %s: %s\n", s.name, p, bytes.TrimSpace(said))
			continue
		}
		// A package without tests builds nothing.
		if _, err := os.Stat(program); err == nil {
			s.programs[p] = program
			built++
		}
	}
	if built == 0 {
		return fmt.Errorf("nothing of %s could be built", s.name)
	}
	return nil
}

// measure runs the benchmarks of a package once, and keeps what they say.
func (c comparison) measure(ctx context.Context, s *side, p string) error {
	cmd := exec.CommandContext(ctx, s.programs[p], "-test.run", "^$", "-test.bench", c.bench,
		"-test.benchtime", c.each, "-test.benchmem")
	cmd.Dir = filepath.Join(s.root, p)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s of %s: %w: %s", p, s.name, err, bytes.TrimSpace(said))
	}
	f, err := os.OpenFile(s.results, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(said)
	return errors.Join(err, f.Close())
}

// The program mutate breaks the code of a package in one place at a time. It reports which of these
// mutants the package's own tests do not notice.
//
// It never writes into the tree: go test's -overlay puts a changed text in a file's place. A
// package's mutants that lie in functions are compiled into one test binary, each as a copy of its
// function. An environment variable chooses one. So most mutants cost one run of the tests and no
// build. Those outside of functions are built one by one.
//
// Mutants that no test can notice are listed in equivalent.txt, each with a reason.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are what the command line chooses.
type settings struct {
	parallel   int
	sample     int
	seed       uint64
	least      float64
	limit      time.Duration
	equivalent string
	verbose    bool
}

// run mutates each package or file named in args, and returns the exit code: 0 if the tests of
// every package killed enough, 1 if not, 2 if it could not be found out.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&s.parallel, "parallel", min(2, runtime.NumCPU()),
		"how many mutants are tested at once")
	flags.IntVar(&s.sample, "sample", 0,
		"how many mutants of each package are tried, at random; 0 is all")
	flags.Uint64Var(&s.seed, "seed", 1, "what the random sample begins from")
	flags.Float64Var(&s.least, "least", 95, "the percentage of mutants to be killed in each package")
	flags.DurationVar(&s.limit, "limit", time.Minute,
		"how long a package's tests may compute unbroken")
	flags.StringVar(&s.equivalent, "equivalent", "pkg/internal/mutate/equivalent.txt",
		"the list of mutants that no test can notice")
	flags.BoolVar(&s.verbose, "v", false, "print every mutant and what became of it")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	known, err := readEquivalents(s.equivalent)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	code := 0
	for _, where := range flags.Args() {
		enough, err := mutatePackage(ctx, where, s, known, stdout)
		switch {
		case err != nil:
			fmt.Fprintf(stderr, "%s: %v\n", where, err)
			return 2
		case !enough:
			code = 1
		}
	}
	return code
}

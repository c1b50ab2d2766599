package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/internal/peers"
)

// options are what a person asks for.
type options struct {
	bin, root   string
	only        string
	tiny, large bool
	write, busy bool
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.bin, "bin", "bin", "where the built programs are")
	flags.StringVar(&o.root, "root", ".", "the tree whose documents are written")
	flags.StringVar(&o.only, "only", "", "the `sections` to measure, separated by commas")
	flags.BoolVar(&o.tiny, "tiny", false, "measure nothing worth knowing, to see that all of it works")
	flags.BoolVar(&o.large, "large", os.Getenv("BENCH_LARGE") == "1",
		"also the largest sizes, of 1,000,000 (BENCH_LARGE=1)")
	flags.BoolVar(&o.write, "write", false, "write the report into the documents")
	flags.BoolVar(&o.busy, "busy", false, "write it even if others use the machine")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	return o, nil
}

// bench is what the sections have in common.
type bench struct {
	sizes
	// dir is a directory of this run, bin that of the programs.
	dir, bin       string
	floor, measure string
	python         peers.Python
	out            io.Writer
}

// sections are all there are, in the order of the report.
var sections = []struct {
	name  string
	title string
	run   func(*bench, context.Context) (section, error)
}{
	{"executor", "One action", (*bench).executor},
	{"serve", "Many actions, one executor", (*bench).serve},
	{"joined", "Many addresses, one call", (*bench).joined},
	{"ledger", "The ledger as it grows", (*bench).ledger},
	{"table", "The ledger in a table", (*bench).table},
	{"journal", "The journal as it grows", (*bench).journal},
	{"inventory", "The inventory", (*bench).inventory},
	{"fence", "A fence of many interfaces", (*bench).fence},
	{"policy", "A policy of many networks", (*bench).policy},
	{"nodes", "Nodes", (*bench).nodes},
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	wanted, err := o.sections()
	if err != nil {
		return err
	}
	if o.write && (o.tiny || o.only != "") {
		return errors.New("-write needs a whole run: leave out -tiny and -only")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := look(dir)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, m.describe(), m.others())
	if o.write && !o.busy && m.busy() {
		return errors.New("others use this machine, and the figures would be theirs: wait, or say -busy")
	}
	b, err := newBench(o, dir, out)
	if err != nil {
		return err
	}
	r := report{machine: m, at: time.Now()}
	failed, err := b.measureAll(ctx, wanted, &r)
	if err != nil {
		return err
	}
	m.end()
	fmt.Fprintln(out, "\n"+m.others())
	if err := o.keep(r); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("these sections failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// measureAll measures the wanted sections, and tells each as it ends. It returns the names of those
// that failed. An error means that it was interrupted.
func (b *bench) measureAll(
	ctx context.Context, wanted []string, r *report,
) (failed []string, err error) {
	for _, s := range sections {
		if !slices.Contains(wanted, s.name) {
			continue
		}
		found := b.section(ctx, s.name, s.title, s.run)
		fmt.Fprint(b.out, found.text())
		r.sections = append(r.sections, found)
		if found.failed != "" {
			failed = append(failed, s.name)
		}
		if ctx.Err() != nil {
			return failed, ctx.Err()
		}
	}
	return failed, nil
}

// keep writes the report into the documents, if it is to.
func (o options) keep(r report) error {
	switch {
	case !o.write:
		return nil
	case r.machine.busy() && !o.busy:
		return errors.New("others used this machine meanwhile: nothing is written; try again, or say " +
			"-busy")
	}
	return r.write(o.root)
}

func (o options) sections() ([]string, error) {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	if o.only == "" {
		return all, nil
	}
	wanted := strings.Split(o.only, ",")
	for _, name := range wanted {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("there is no section %q, but %s", name, strings.Join(all, ", "))
		}
	}
	return wanted, nil
}

func newBench(o options, dir string, out io.Writer) (*bench, error) {
	bin, err := filepath.Abs(o.bin)
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, bin: bin, out: out, sizes: normal}
	if o.large {
		b.sizes = large
	}
	if o.tiny {
		b.sizes = tiny
	}
	for name, to := range map[string]*string{"floor": &b.floor, "measure": &b.measure} {
		if *to, err = build(dir, name); err != nil {
			return nil, err
		}
	}
	if b.python, err = peers.FindPython(); err != nil {
		fmt.Fprintln(out, "without boto3 and the AWS CLI:", err)
	}
	return b, nil
}

// section runs a section. One that fails or panics does not end the others.
func (b *bench) section(
	ctx context.Context, name, title string, run func(*bench, context.Context) (section, error),
) (s section) {
	begin := time.Now()
	defer func() {
		if p := recover(); p != nil {
			s.failed = fmt.Sprintf("%v", p)
			fmt.Fprintf(b.out, "%s\n", debug.Stack())
		}
		s.name, s.title, s.took = name, title, time.Since(begin)
		// The next section shall not pay for this one's garbage.
		debug.FreeOSMemory()
	}()
	own := *b
	own.dir = filepath.Join(b.dir, name)
	if err := os.Mkdir(own.dir, 0o700); err != nil {
		return section{failed: err.Error()}
	}
	defer os.RemoveAll(own.dir)
	s, err := run(&own, ctx)
	if err != nil {
		s.failed = err.Error()
	}
	return s
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// fate is what became of a mutant.
type fate string

const (
	rejected fate = "does not build"
	killed   fate = "killed"
	survived fate = "survived"
	timedOut fate = "timed out"
)

// memory is how much address space a test binary may take, in KiB; a mutant may ask for ever more.
const memory = 4 << 20

// laboratory builds and tests the mutants of one package in a folder outside of the tree.
type laboratory struct {
	*source
	dir string
	// limit is how long a test may run. It is several times what the unbroken package takes on this
	// machine, as busy as it is.
	limit time.Duration
}

// patience is how many times longer than they may compute the unbroken tests may take altogether,
// on a machine that does other things as well.
const patience = 20

// mutatePackage tries the mutants of one package and prints the survivors. It reports whether
// enough were killed and the list of equivalents is right.
func mutatePackage(ctx context.Context, where string, s settings, equivalents map[string]string,
	out io.Writer,
) (bool, error) {
	src, err := load(ctx, where)
	if err != nil {
		return false, err
	}
	dir, err := folder("", "mutate")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	all := src.mutants()
	tried := sample(all, s.sample, s.seed)
	lab := &laboratory{source: src, dir: dir, limit: patience * s.limit}
	fates, err := lab.try(ctx, tried, s)
	if err != nil {
		return false, err
	}
	r := report{
		where: where, mutants: tried, fates: fates, equivalents: equivalents, verbose: s.verbose,
	}
	if len(tried) == len(all) {
		r.names = map[string]bool{}
		for _, f := range src.files {
			if src.mutated(f) {
				r.names[f.name] = true
			}
		}
	}
	return r.print(out) >= s.least && len(r.complaints) == 0, nil
}

// folder makes a temporary folder that every user may enter, as the one that go test runs in:
// a test may start its own binary as an ordinary user.
func folder(parent, name string) (string, error) {
	dir, err := os.MkdirTemp(parent, name)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// sample returns n of the mutants, chosen at random, in their order; all of them if n is 0.
func sample(all []mutant, n int, seed uint64) []mutant {
	if n == 0 || n >= len(all) {
		return all
	}
	random := rand.New(rand.NewPCG(seed, 0))
	chosen := random.Perm(len(all))[:n]
	slices.Sort(chosen)
	some := make([]mutant, n)
	for i, c := range chosen {
		some[i] = all[c]
	}
	return some
}

// try returns what becomes of each mutant, by its id.
func (l *laboratory) try(
	ctx context.Context, mutants []mutant, how settings,
) (map[int]fate, error) {
	var inside, outside []mutant
	for _, m := range mutants {
		if m.inside() {
			inside = append(inside, m)
		} else {
			outside = append(outside, m)
		}
	}
	s, err := l.schemaOf(inside)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(l.dir, "schema.test")
	if err := l.build(ctx, binary, s.files); err != nil {
		return nil, fmt.Errorf("cannot build the mutants: %w", err)
	}
	start := time.Now()
	var said bytes.Buffer
	f, computed := l.test(ctx, binary, 0, &said)
	switch {
	case f != survived:
		return nil, fmt.Errorf("the tests of the package as it is do not pass within %s: %s\n%s",
			l.limit, f, said.Bytes())
	case computed > how.limit:
		return nil, fmt.Errorf("the tests of the package as it is compute for %s, at most %s are allowed",
			computed, how.limit)
	}
	l.limit = 5*time.Second + 5*time.Since(start)

	fates := map[int]fate{}
	for _, m := range inside {
		fates[m.id] = rejected
	}
	var mu sync.Mutex
	tell := func(m mutant, f fate) {
		mu.Lock()
		defer mu.Unlock()
		fates[m.id] = f
	}
	each(how.parallel, s.built, func(m mutant) {
		f, _ := l.test(ctx, binary, m.id, nil)
		tell(m, f)
	})
	each(how.parallel, outside, func(m mutant) { tell(m, l.alone(ctx, m)) })
	return fates, ctx.Err()
}

// each calls do for all mutants, a few at once.
func each(parallel int, mutants []mutant, do func(mutant)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, max(1, parallel))
	for _, m := range mutants {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			do(m)
		})
	}
	wait.Wait()
}

// alone builds one mutant by itself and tests it.
func (l *laboratory) alone(ctx context.Context, m mutant) fate {
	f := l.files[m.file]
	binary := filepath.Join(l.dir, fmt.Sprintf("%d.test", m.id))
	defer os.Remove(binary)
	changed := map[string]string{f.path: apply(f.text, 0, len(f.text), m.edit)}
	if l.build(ctx, binary, changed) != nil {
		return rejected
	}
	became, _ := l.test(ctx, binary, 0, nil)
	return became
}

// build makes a test binary of the package with some files changed.
func (l *laboratory) build(ctx context.Context, binary string, files map[string]string) error {
	dir, err := os.MkdirTemp(l.dir, "overlay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		changed := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
			return err
		}
		overlay.Replace[path] = changed
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		return err
	}
	_, err = command(ctx, "go", "test", "-c", "-vet=off", "-overlay", name, "-o", binary, l.path)
	return err
}

// test runs a test binary with a mutant chosen, in the package's folder, as go test does. It
// returns how long the tests computed, too. What they print goes to out, unless that is nil.
func (l *laboratory) test(
	ctx context.Context, binary string, id int, out io.Writer,
) (f fate, computed time.Duration) {
	dir, err := folder(l.dir, "run")
	if err != nil {
		return survived, 0 // nothing was tested
	}
	defer os.RemoveAll(dir)
	limited, cancel := context.WithTimeout(ctx, l.limit)
	defer cancel()
	shell := fmt.Sprintf(`ulimit -v %d; exec "$0" "$@"`, memory)
	cmd := exec.CommandContext(limited, "sh", "-c", shell, binary, "-test.failfast")
	cmd.Dir, cmd.Stdout, cmd.Stderr = l.source.dir, out, out
	cmd.Env = append(os.Environ(), variable+"="+strconv.Itoa(id), "TMPDIR="+dir)
	// What the tests started goes with them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	if cmd.ProcessState != nil {
		computed = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	switch {
	case err == nil:
		return survived, computed
	case limited.Err() != nil:
		return timedOut, computed
	}
	return killed, computed
}

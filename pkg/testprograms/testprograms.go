// Package testprograms builds what tests start as processes: the programs in cmd/, and the test
// binaries that are programs themselves. What it builds has no race detector.
//
// The detector finds races between the goroutines of one process. A program that answers one
// request has next to none of them, and starts five times slower with the detector. The scripts
// that do run programs with many goroutines ask for the detector by Raced.
package testprograms

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// module is the path that the programs are below.
const module = "aws-provider-executor/cmd/"

// flags are those of the Makefile's build. What that build compiled is not compiled again.
var flags = []string{"-race=false", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w"}

// start is the folder of the tested package, in which every test begins.
var start, _ = os.Getwd()

// Main is testscript.Main for scripts that mostly wait: many run at a time. If the test binary has
// the race detector, the commands are run by a build of it without.
func Main(m testscript.TestingM, commands map[string]func()) {
	testscript.Main(scripts{TestingM: m, commands: slices.Collect(maps.Keys(commands))}, commands)
}

// scripts are the tests of Main, and the commands that their scripts run.
type scripts struct {
	testscript.TestingM
	commands []string
}

// racedPath is the PATH by which commands have the race detector, if the test binary has it.
var racedPath string

// Run runs the tests once the commands are in PATH, and returns their exit code.
func (s scripts) Run() int {
	defer Remove()
	// Some programs run on one processor. Their tests do not.
	runtime.GOMAXPROCS(runtime.NumCPU())
	if err := manyAtATime(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	racedPath = os.Getenv("PATH")
	if hasDetector {
		if err := s.install(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return s.TestingM.Run()
}

// install puts the commands without the race detector at the head of PATH.
func (s scripts) install() error {
	own, err := Own()
	if err != nil {
		return err
	}
	bin := filepath.Join(filepath.Dir(own), "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		return err
	}
	for _, name := range s.commands {
		if err := os.Link(own, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	return os.Setenv("PATH", bin+string(filepath.ListSeparator)+racedPath)
}

// manyAtATime has more parallel tests run than there are processors, unless a flag says how many.
func manyAtATime() error {
	const many = "8"
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "test.parallel" })
	if told {
		return nil
	}
	return flag.Set("test.parallel", many)
}

// Raced has the scripts of these names run the commands with the race detector, if the test binary
// has it. The environment is that of a script which is set up.
func Raced(env *testscript.Env, names ...string) {
	if slices.Contains(names, strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")) {
		env.Setenv("PATH", racedPath)
	}
}

// built is where programs are built, and what was built there.
var built struct {
	sync.Mutex
	dir  string
	done map[string]error
}

// Own returns the path of the test binary, built without the race detector.
func Own() (string, error) {
	if !hasDetector {
		return os.Executable()
	}
	const name = "own.test"
	dir, err := build(name, "test", "-c", ".")
	return filepath.Join(dir, name), err
}

// Build builds programs of cmd/ as they are shipped, and returns the folder that they are in.
func Build(names ...string) (dir string, err error) {
	args := make([]string, len(names))
	for i, name := range names {
		args[i] = module + name
	}
	return build("", "build", args...)
}

// build has a command of go write a file of the name, or files without one, and does so once. It
// returns the folder that they are in.
func build(name, command string, args ...string) (dir string, err error) {
	built.Lock()
	defer built.Unlock()
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "programs-")
		if err != nil {
			return "", err
		}
		// A test may run a program as another user.
		if err := os.Chmod(dir, 0o755); err != nil {
			return "", err
		}
		built.dir, built.done = dir, map[string]error{}
	}
	what := strings.Join(args, " ")
	err, done := built.done[what]
	if !done {
		out := built.dir + string(filepath.Separator) + name
		cmd := exec.Command("go", slices.Concat([]string{command, "-o", out}, flags, args)...)
		cmd.Dir, cmd.Env = start, append(os.Environ(), "CGO_ENABLED=0")
		if said, failed := cmd.CombinedOutput(); failed != nil {
			err = fmt.Errorf("cannot build %s: %w: %s", what, failed, said)
		}
		built.done[what] = err
	}
	return built.dir, err
}

// Remove removes what was built. It is called once all tests are done.
func Remove() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	built.dir = ""
}

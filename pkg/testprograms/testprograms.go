// Package testprograms has what tests start as processes: the programs of cmd/ as they are
// shipped, and scripts that run many of them at a time.
package testprograms

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// module is the path that the programs are below.
const module = "aws-provider-executor/cmd/"

// flags are those of the Makefile's build. What that build compiled is not compiled again.
var flags = []string{
	"-race=false", "-trimpath", "-tags", "nethttpomithttp2,lambda.norpc",
	"-ldflags", "-s -w -funcalign=8",
	"-gcflags=github.com/aws/...=-l", "-gcflags=go.yaml.in/...=-l",
	"-gcflags=golang.org/x/crypto/...=-l",
}

// Main is testscript.Main for scripts that mostly wait: many run at a time.
func Main(m testscript.TestingM, commands map[string]func()) {
	testscript.Main(scripts{m}, commands)
}

// scripts are the tests of Main.
type scripts struct{ testscript.TestingM }

// Run runs the tests, and returns their exit code.
func (s scripts) Run() int {
	defer Remove()
	// Some programs run on one processor. Their tests do not.
	runtime.GOMAXPROCS(runtime.NumCPU())
	if err := manyAtATime(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return s.TestingM.Run()
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

// built is where programs are built, and what was built there.
var built struct {
	sync.Mutex
	dir  string
	done map[string]error
}

// Build builds programs of cmd/ as they are shipped, without the race detector, and returns the
// folder that they are in. What was built before is not built again.
func Build(names ...string) (dir string, err error) {
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
	what := strings.Join(names, " ")
	err, done := built.done[what]
	if !done {
		err = build(built.dir, names)
		built.done[what] = err
	}
	return built.dir, err
}

// build builds programs into a folder.
func build(dir string, names []string) error {
	args := slices.Concat([]string{"build", "-o", dir + string(os.PathSeparator)}, flags)
	for _, name := range names {
		args = append(args, module+name)
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %v: %w: %s", names, err, said)
	}
	return nil
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

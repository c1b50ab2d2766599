//go:build conformance

package conformance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"aws-provider-executor/pkg/internal/peers"
)

// house is what every test uses: the peers and the programs, built once.
var house struct {
	python peers.Python
	// aws has a program of that name in it: the AWS CLI.
	aws, executor, inventory, actionctl, fenceAgent, ec2sim string
	// dir is the run's own, removed at its end; home is an empty one in it.
	dir, home string
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if house.python, err = peers.FindPython(); err != nil {
		return 1, withoutPeers(err)
	}
	if house.dir, err = os.MkdirTemp("", "conformance"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(house.dir)) }()
	house.home = filepath.Join(house.dir, "home")
	if err := errors.Join(os.Mkdir(house.home, 0o700), buildPrograms(), makeAWS()); err != nil {
		return 1, err
	}
	defer closeAll()
	// Much of every test is waiting for another process.
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0))); err != nil {
		return 1, err
	}
	code = m.Run()
	fmt.Print(told.summary())
	if flag.Lookup("test.run").Value.String() == "" {
		err = told.promised()
	}
	return code, err
}

// withoutPeers says what is missing, where, and how to get it. It is never a skip: a run that
// judged nothing must not look like one that did.
func withoutPeers(err error) error {
	where := "install them for any python on PATH: python3 -m pip install 'moto[server]' boto3 awscli"
	if os.Getenv("CI") == "true" {
		where = "CI's image is to have them ('moto[server]', boto3, awscli for one python on PATH or " +
			"in pyenv), and this one does not"
	}
	return fmt.Errorf("nothing was judged: %w\n%s", err, where)
}

// buildPrograms builds the real programs as they are shipped, from the tree this test is in.
func buildPrograms() error {
	build := exec.Command("go", "build", "-tags", "nethttpomithttp2,lambda.norpc", "-o", house.dir+"/",
		"aws-provider-executor/cmd/aws-provider-executor",
		"aws-provider-executor/cmd/aws-provider-inventory", "aws-provider-executor/cmd/actionctl",
		"aws-provider-executor/cmd/ec2sim", "aws-provider-executor/cmd/fence_aws_executor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build the programs: %w\n%s", err, text)
	}
	house.executor = filepath.Join(house.dir, "aws-provider-executor")
	house.fenceAgent = filepath.Join(house.dir, "fence_aws_executor")
	house.inventory = filepath.Join(house.dir, "aws-provider-inventory")
	house.actionctl = filepath.Join(house.dir, "actionctl")
	house.ec2sim = filepath.Join(house.dir, "ec2sim")
	return nil
}

// makeAWS makes a program named aws, for commands to be run as they are written.
func makeAWS() error {
	house.aws = filepath.Join(house.dir, "peers")
	var words []string
	for _, word := range house.python.AWS() {
		words = append(words, "'"+word+"'")
	}
	script := "#!/bin/sh\nexec " + strings.Join(words, " ") + ` "$@"` + "\n"
	return errors.Join(os.Mkdir(house.aws, 0o700),
		os.WriteFile(filepath.Join(house.aws, "aws"), []byte(script), 0o700))
}

// TestWithoutPeersIsAFailure starts this very test where no python has the peers.
func TestWithoutPeersIsAFailure(t *testing.T) {
	for ci, want := range map[string]string{"": "pip install 'moto[server]' boto3 awscli",
		"true": "CI's image is to have them"} {
		self := exec.Command(os.Args[0], "-test.run=^TestScenarios$")
		self.Env = []string{"PATH=" + house.home, "HOME=" + house.home, "PYENV_ROOT=" + house.home,
			"CI=" + ci}
		out, err := self.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), "PASS") {
			t.Errorf("with CI=%q it ended with %v and said:\n%s", ci, err, out)
		}
	}
}

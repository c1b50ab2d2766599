package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"aws-provider-executor/actions"
	"aws-provider-executor/pkg/awsexecutor"
	"aws-provider-executor/pkg/testprograms"
)

func TestMain(m *testing.M) {
	testprograms.Main(m, map[string]func(){"ec2sim": main, "aws-provider-executor": theExecutor})
}

// theExecutor is that of cmd/aws-provider-executor.
func theExecutor() {
	p := awsexecutor.New(awsexecutor.Name, "test", actions.Registry())
	os.Exit(p.Main(context.Background(), os.Args, os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// TestScripts runs the program as a newcomer does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			dir, err := os.Getwd()
			env.Setenv("EXAMPLES", dir+"/../../examples")
			return err
		},
	})
}

// A signal reaches the command, once, and its exit code is the program's.
func TestSignalsReachTheCommand(t *testing.T) {
	program, err := exec.LookPath("ec2sim")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]syscall.Signal{
		"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
		"USR1": syscall.SIGUSR1,
	} {
		t.Run(name, func(t *testing.T) {
			// A shell can't trap what was ignored when it started, as HUP is under nohup. What is
			// caught here is not ignored there.
			caught := make(chan os.Signal, 1)
			signal.Notify(caught, s)
			defer signal.Stop(caught)
			// The shell waits for its child, which nothing is ever sent to, and runs the trap when
			// a signal comes.
			sim := exec.Command(program, "run", "--", "sh", "-c",
				`trap 'echo got `+name+`; exit 7' `+name+`; echo ready; read -r line`)
			// No terminal: what the test was started from must not matter.
			sim.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			stdin, err := sim.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			stdout, err := sim.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := sim.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(stdout)
			if line, err := lines.ReadString('\n'); line != "ready\n" {
				t.Fatalf("%q %v", line, err)
			}
			if err := sim.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(lines)
			if err != nil {
				t.Fatal(err)
			}
			_ = sim.Wait()
			if got := strings.TrimSpace(string(rest)); got != "got "+name ||
				sim.ProcessState.ExitCode() != 7 {
				t.Errorf("it said %q and ended with %v", got, sim.ProcessState)
			}
		})
	}
}

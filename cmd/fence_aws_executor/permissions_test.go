package main

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
)

// monitored runs monitor with a policy that allows what is given, or without one. It returns the
// exit code, what it warned of, and the IAM actions that it called.
func monitored(
	t *testing.T, options string, allowed []string,
) (code int, warned string, called []string) {
	t.Helper()
	sim := ec2sim.New(ec2sim.Lab())
	server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if allowed != nil {
		if err := sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, `{"Version":"2012-10-17",`+
			`"Statement":[{"Effect":"Allow","Resource":"*","Action":["`+
			strings.Join(allowed, `","`)+`"]}]}`); err != nil {
			t.Fatal(err)
		}
	}
	before := sim.State()
	cmd := exec.Command("fence_aws_executor")
	cmd.Env = append(server.Env(), "PATH="+os.Getenv("PATH"), "RUNS=1",
		"EXECUTOR_STATE_DIR="+t.TempDir())
	cmd.Stdin = strings.NewReader("action=monitor\nregion=" + ec2sim.LabRegion + "\nsecg=" +
		ec2sim.LabGroupFence + "\ninvert_sg_removal=1\n" + options)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run() // its exit code is looked at
	if diff := cmp.Diff(before, sim.State()); diff != "" {
		t.Errorf("it changed the world:\n%s", diff)
	}
	for _, c := range sim.Calls() {
		if name := "ec2:" + c.Operation; !slices.Contains(called, name) {
			called = append(called, name)
		}
	}
	return cmd.ProcessState.ExitCode(), stderr.String(), called
}

// TestMonitorWithoutAPermission takes each permission away that monitor asks for: its own readings,
// and those by DryRun that a fence, its end and the power will need. Without any one of them it
// fails and names it.
func TestMonitorWithoutAPermission(t *testing.T) {
	removed := 0
	for name, options := range map[string]string{
		"one plug":   "plug=" + ec2sim.LabDB + "\n",
		"with power": "plug=" + ec2sim.LabDB + "\nonfence_poweroff=1\nonunfence_poweron=1\n",
		"no tags":    "plug=" + ec2sim.LabDB + "\nbackup_tags=0\n",
		"a filter":   "filter=tag:Name=db\n",
		"every one":  "",
	} {
		code, warned, needed := monitored(t, options, nil)
		if code != 0 || len(needed) < 2 {
			t.Fatalf("%s: %d, %v: %s", name, code, needed, warned)
		}
		if code, warned, _ := monitored(t, options, needed); code != 0 {
			t.Errorf("%s with exactly what it called: %d: %s", name, code, warned)
		}
		for i, permission := range needed {
			t.Run(name+" without "+permission, func(t *testing.T) {
				removed++
				rest := slices.Delete(slices.Clone(needed), i, i+1)
				code, warned, _ := monitored(t, options, rest)
				if code != 1 || !strings.Contains(warned, permission) {
					t.Errorf("it ends with %d: %s", code, warned)
				}
			})
		}
	}
	t.Logf("%d permissions removed, each named", removed)
}

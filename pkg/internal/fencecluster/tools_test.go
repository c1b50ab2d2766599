//go:build fencecluster

package fencecluster

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// fenceAgents is where fence-agents keeps its checks.
const fenceAgents = "/usr/share/cluster/relaxng/"

// TestMetadataIsValid: by the schema that fence-agents checks its own agents by.
func TestMetadataIsValid(t *testing.T) {
	for _, action := range []string{"metadata", "manpage"} {
		said, err := exec.Command(agentPath, "-o", action).Output()
		if err != nil {
			t.Fatal(err)
		}
		check := exec.Command("xmllint", "--noout", "--relaxng", fenceAgents+"metadata.rng", "-")
		check.Stdin = strings.NewReader(string(said))
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", action, err, out)
		}
	}
}

// TestManpageIsMade by the stylesheet of fence-agents, with every option and the actions.
func TestManpageIsMade(t *testing.T) {
	said, err := exec.Command(agentPath, "-o", "manpage").Output()
	if err != nil {
		t.Fatal(err)
	}
	make := exec.Command("xsltproc", fenceAgents+"fence2man.xsl", "-")
	make.Stdin = strings.NewReader(string(said))
	page, err := make.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{".TH FENCE_AGENT 8", "fence_aws_executor", "interface15_sg",
		"device15_sg", "power_timeout", "list-status", "validate-all"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q:\n%.2000s", want, page)
		}
	}
}

// TestDelayIsWaited: the check of fence-agents that every agent waits as long as it is told to
// before a fence, and that only then.
func TestDelayIsWaited(t *testing.T) {
	l := newLab(t)
	options := []string{"-o", "off", "--plug=" + nodeB, "--secg=sg-01088000000000003",
		"--invert-sg-removal"}
	begin := time.Now()
	l.must(agentPath, append(options, "--delay=10", "--")...)
	if took := time.Since(begin); took < 10*time.Second {
		t.Errorf("it took %s", took)
	}
	l.must(agentPath, append(options, "--delay=0", "--")...)
	options[1] = "on"
	l.must(agentPath, append(options, "--delay=1000", "--")...)
}

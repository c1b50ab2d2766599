//go:build fencecluster

package fencecluster

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/internal/docblocks"
)

// examples are the configuration files of the example.
const examples = "../../../examples/pacemaker/"

// setUp is the block of the page that tells how a device is set up.
const setUp = ".github/docs/fencing.md#set-it-up"

// marker tells a cluster configuration that this test left.
const marker = cibDir + "/made-by-the-fence-cluster-test"

// refusedMonitor is what Pacemaker's log has of a monitor without permissions.
var refusedMonitor = regexp.MustCompile(`fence_aws_executor_monitor_.*UnauthorizedOperation`)

// ownCIB makes the machine's cluster configuration the test's, which takes it away at its end.
func ownCIB(t *testing.T) {
	t.Helper()
	there, err := filepath.Glob(cibDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); len(there) > 0 && err != nil {
		t.Fatalf("%s has a cluster's configuration: this machine has a cluster", cibDir)
	}
	clean := func() {
		all, _ := filepath.Glob(cibDir + "/*")
		for _, path := range all {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
	}
	clean()
	t.Cleanup(clean)
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCluster: a cluster of two nodes, of which one is never seen. It fences that one by itself,
// and unfences, fences, reboots and monitors it. Its configuration is the example's.
func TestCluster(t *testing.T) {
	ownCIB(t)
	l := newLab(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "pacemaker.log")
	l.env = append(l.env, "PCMK_logfile="+log)
	stonith, err := os.ReadFile(examples + "stonith.xml")
	if err != nil {
		t.Fatal(err)
	}
	often := strings.Replace(string(stonith), `interval="60s"`, `interval="3s"`, 1)
	configuration := filepath.Join(dir, "stonith.xml")
	if err := os.WriteFile(configuration, []byte(often), 0o600); err != nil {
		t.Fatal(err)
	}
	l.start("corosync", "-f", "-c", mustAbs(t, examples+"corosync.conf"))
	l.wait("corosync runs", func() bool {
		_, ok := l.run("corosync-cfgtool", "-s")
		return ok
	})
	l.start("pacemakerd", "-f")
	l.wait("node-a leads the cluster", func() bool {
		said, _ := l.run("cibadmin", "-Q")
		return strings.Contains(said, "dc-uuid=")
	})
	commands := strings.Split(docblocks.Read(t, "../../..", setUp), "\n")
	if len(commands) < 4 {
		t.Fatalf("the page sets a device up by %q", commands)
	}
	shell := func(command string) { l.must("sh", "-c", "cd "+dir+" && "+command) }
	shell(commands[0])
	shell(commands[1])

	l.wait("the cluster fences the node that it never saw", func() bool {
		said, _ := l.run("stonith_admin", "--history", "node-b")
		return strings.Contains(said, "of node-b successful")
	})
	if !l.isFenced() {
		t.Fatal("the cluster says that it fenced node-b, which is open")
	}
	l.wait("the device is started", func() bool {
		said, _ := l.run("crm_mon", "-1")
		return strings.Contains(said, "Started node-a")
	})
	l.must("stonith_admin", "--unfence", "node-b")
	if diff := cmp.Diff(l.before, l.sim.State()); diff != "" {
		t.Errorf("the world after fencing and unfencing differs from before:\n%s", diff)
	}
	for _, fence := range []string{"--fence", "--reboot"} {
		l.must("stonith_admin", fence, "node-b")
		if !l.isFenced() {
			t.Errorf("%s succeeded, and the node is open", fence)
		}
		l.must("stonith_admin", "--unfence", "node-b")
	}

	// What is left of the page's commands: a fence, and its end.
	for _, command := range commands[2:] {
		if command == "" {
			continue
		}
		shell(command)
		if fence := strings.Contains(command, "--fence"); fence != l.isFenced() {
			t.Errorf("after %s the node is fenced: %t", command, !fence)
		}
	}

	// The monitor runs by itself, and finds out that the permissions are gone.
	deny := `{"Version":"2012-10-17","Statement":[]}`
	if err := l.sim.SetPolicies(ec2sim.LabCredential.AccessKeyID, deny); err != nil {
		t.Fatal(err)
	}
	// The status shows the monitor's failure only until the cluster has tried to start the device
	// anew. It shows the failure of that start from then on.
	l.wait("the device fails", func() bool {
		said, _ := l.run("crm_mon", "-1")
		_, failed, _ := strings.Cut(said, "Failed Resource Actions")
		return strings.Contains(failed, "* fence-ec2 ")
	})
	l.wait("the monitor says why", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && refusedMonitor.Match(text)
	})
	if diff := cmp.Diff(l.before, l.sim.State()); diff != "" {
		t.Errorf("the world differs from before:\n%s", diff)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

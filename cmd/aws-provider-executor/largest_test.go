package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"

	"github.com/google/go-cmp/cmp"
)

// TestTheLargestFence: an instance with 15 interfaces of 16 groups each, as much as EC2 has. Its
// backup tags fit beside its own. Each interface takes one call, whatever their number. In the end
// all is as before.
func TestTheLargestFence(t *testing.T) {
	const groupsEach = 16
	for _, n := range []int{1, 15} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			sim := ec2sim.New(ec2sim.Lab(), ec2sim.WithQuotas(ec2sim.Quotas{
				GroupsPerInterface: groupsEach, InterfacesPerInstance: n}))
			r := sim.Region(ec2sim.LabRegion)
			var groups []string
			for i := range groupsEach {
				groups = append(groups, r.AddSecurityGroup(ec2sim.SecurityGroup{VPCID: ec2sim.LabVPC,
					Name: fmt.Sprint("group-", i)}).ID)
			}
			interfaces := slices.Repeat(
				[]ec2sim.Interface{{SubnetID: ec2sim.LabSubnetC, Groups: groups}}, n)
			instance := r.AddInstance(ec2sim.Instance{Type: "m5.24xlarge", Tags: ec2sim.Tags{"own": "tag"}},
				interfaces...)
			server, err := ec2sim.Start(sim, ec2sim.ServerOptions{Metadata: ec2sim.LabMetadata()})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			environ := append(server.Env(), "PATH="+os.Getenv("PATH"),
				"EXECUTOR_STATE_DIR="+filepath.Join(t.TempDir(), "state"))
			run := func(verb, key string, parameters map[string]string) (s protocol.Status, calls int) {
				t.Helper()
				before := len(sim.Calls())
				cmd := exec.Command("aws-provider-executor")
				cmd.Env, cmd.Stdin = environ, bytes.NewReader(protocol.EncodeRequest(protocol.Request{
					Action: verb, Provider: "aws", Mode: protocol.Execute, IdempotencyKey: key,
					Target: map[string]string{
						"instanceRef": instance.ID, "region": ec2sim.LabRegion}, Parameters: parameters}))
				out, err := cmd.Output()
				var result struct{ Status protocol.Status }
				if err == nil {
					err = json.Unmarshal(out, &result)
				}
				if err != nil || result.Status.Status != protocol.Succeeded {
					t.Fatalf("%s: %v: %s", verb, err, out)
				}
				return result.Status, len(sim.Calls()) - before
			}
			world := r.State()
			fenced, calls := run("fence-security-groups", "k",
				map[string]string{"securityGroups": groups[3]})
			if calls != 4+n {
				t.Errorf("a fence of %d interfaces takes %d calls, want %d", n, calls, 4+n)
			}
			for _, i := range r.State().Interfaces {
				if i.Instance() == instance.ID && slices.Contains(i.Groups, groups[3]) {
					t.Errorf("%s still has the group", i.ID)
				}
			}
			_, calls = run("unfence-security-groups", "k:undo", fenced.Observed)
			if calls != 5+n {
				t.Errorf("an unfence of %d interfaces takes %d calls, want %d", n, calls, 5+n)
			}
			if diff := cmp.Diff(world, r.State()); diff != "" {
				t.Errorf("the world (-before +now):\n%s", diff)
			}
		})
	}
}

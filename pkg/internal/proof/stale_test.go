package proof

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"

	"aws-provider-executor/pkg/ec2sim"
	"aws-provider-executor/pkg/protocol"
)

// TestOneStaleInterfaceWithAnotherPending: the first reading shows one interface as it was before
// somebody else changed it, while another has to be changed. It is not taken for done: not for
// fenced, and not for restored, which would let the tags go.
func TestOneStaleInterfaceWithAnotherPending(t *testing.T) {
	t.Parallel()
	fence := scenario{
		verb: "fence-security-groups", target: map[string]string{"instanceRef": ec2sim.LabDB},
		parameters: map[string]string{"securityGroups": ec2sim.LabGroupFence, "invertSgRemoval": "true"},
	}
	t.Run("fenced", func(t *testing.T) {
		l := newLab(t, nil)
		before := l.state()
		l.must(l.run(fence.request("one")), protocol.Succeeded, "one")
		fenced := l.state()
		l.regroup(ec2sim.LabDBInterface1, ec2sim.LabGroupWeb)
		l.stale(ec2sim.LabDBInterface0, ec2sim.LabGroupWeb, ec2sim.LabGroupDefault)
		two := fence.request("two")
		did := l.must(l.run(two), protocol.Succeeded, "two")
		l.same(fenced, "after two")
		held := l.must(l.run(fence.undoOf(two, did.Status)), protocol.Succeeded, "held by one")
		if held.Observed["heldBy"] != `["one"]` || held.Observed["changed"] != "false" {
			t.Errorf("the undo of two: %+v", held.Status)
		}
		l.same(fenced, "after the undo of two")
		l.must(l.run(fence.undoOf(fence.request("one"), protocol.Status{})), protocol.Succeeded,
			"undo one")
		l.same(before, "after both undos")
	})
	t.Run("unfenced", func(t *testing.T) {
		l := newLab(t, nil)
		before := l.state()
		one := fence.request("one")
		did := l.must(l.run(one), protocol.Succeeded, "one")
		l.regroup(ec2sim.LabDBInterface0, ec2sim.LabGroupWeb, ec2sim.LabGroupDefault)
		l.stale(ec2sim.LabDBInterface0, ec2sim.LabGroupFence)
		l.must(l.run(fence.undoOf(one, did.Status)), protocol.Succeeded, "undo one")
		l.same(before, "after the undo")
	})
}

// regroup gives an interface other groups, as somebody else does.
func (l *lab) regroup(nic string, groups ...string) {
	l.t.Helper()
	l.sim.Region(ec2sim.LabRegion).EditInterface(nic, func(i *ec2sim.Interface) { i.Groups = groups })
}

// stale does the same by a call to EC2, and the next reading is from before it.
func (l *lab) stale(nic string, groups ...string) {
	l.t.Helper()
	if err := l.sim.Inject(ec2sim.StaleReads("ModifyNetworkInterfaceAttribute", 1)); err != nil {
		l.t.Fatal(err)
	}
	client := ec2.New(ec2.Options{
		Region: ec2sim.LabRegion, BaseEndpoint: &l.url,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: ec2sim.LabCredential.AccessKeyID,
				SecretAccessKey: ec2sim.LabCredential.SecretAccessKey}, nil
		}),
	})
	if _, err := client.ModifyNetworkInterfaceAttribute(l.t.Context(),
		&ec2.ModifyNetworkInterfaceAttributeInput{
			NetworkInterfaceId: &nic, Groups: groups,
		}); err != nil {
		l.t.Fatal(err)
	}
}

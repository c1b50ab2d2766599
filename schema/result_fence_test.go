package schema_test

import (
	"context"
	"errors"
	"maps"
	"slices"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

const (
	instance1  = "i-00000000000000001"
	noInstance = "i-0000000000000000f"
	groupA     = "sg-0000000000000000a"
	groupB     = "sg-0000000000000000b"
	groupFence = "sg-0000000000000000f"
)

// newInstance has two interfaces, one with two groups.
func newInstance() *ec2model.Instance {
	return &ec2model.Instance{
		ID: instance1, VPCID: "vpc-1", State: "running", Tags: map[string]string{"Name": "one"},
		Interfaces: []ec2model.InstanceInterface{
			{ID: nic1, VPCID: "vpc-1", Groups: []string{groupA, groupB}},
			{ID: nic2, VPCID: "vpc-1", Index: 1, Groups: []string{groupA}},
		},
	}
}

func (l *lab) DescribeInstance(_ context.Context, id string) (ec2model.Instance, error) {
	if id != instance1 {
		return ec2model.Instance{},
			protocol.Refuse(protocol.NotFound, "%s does not exist", id).With(protocol.FactAWSErrorCode,
				"InvalidInstanceID.NotFound")
	}
	seen := *l.instance
	seen.Tags, seen.Interfaces = maps.Clone(seen.Tags), slices.Clone(seen.Interfaces)
	return seen, nil
}

func (l *lab) DescribeSecurityGroups(
	_ context.Context, ids ...string,
) ([]ec2model.SecurityGroup, error) {
	var found []ec2model.SecurityGroup
	for _, id := range ids {
		if slices.Contains([]string{groupA, groupB, groupFence}, id) {
			found = append(found, ec2model.SecurityGroup{ID: id, VPCID: "vpc-1"})
		}
	}
	return found, nil
}

func (l *lab) InstanceID(context.Context) (string, error) {
	return "", errors.New("this is no instance")
}

func (l *lab) CreateTags(_ context.Context, _ string, tags map[string]string) error {
	return l.change(func() { maps.Copy(l.instance.Tags, tags) })
}

func (l *lab) DeleteTags(_ context.Context, _ string, tags map[string]string) error {
	return l.change(func() {
		maps.DeleteFunc(l.instance.Tags, func(key, value string) bool {
			v, ok := tags[key]
			return ok && v == value
		})
	})
}

func (l *lab) ModifySecurityGroups(_ context.Context, nic string, groups []string) error {
	return l.change(func() {
		for i := range l.instance.Interfaces {
			if l.instance.Interfaces[i].ID == nic {
				l.instance.Interfaces[i].Groups = groups
			}
		}
	})
}

func (l *lab) StopInstance(context.Context, string) error {
	return l.change(func() { l.instance.State = "stopped" })
}

func (l *lab) ShutDownInstance(ctx context.Context, id string) error {
	return l.StopInstance(ctx, id)
}

func (l *lab) StartInstance(context.Context, string) error {
	return l.change(func() { l.instance.State = "running" })
}

func instanceAt(id string) map[string]string {
	return map[string]string{"instanceRef": id, "region": region}
}

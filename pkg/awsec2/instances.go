package awsec2

import (
	"cmp"
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/awsec2/ec2model"
	"aws-provider-executor/pkg/protocol"
)

// DescribeInstance reads one instance by its id, which works when a part of the
// region is sick, as a search might not: its state, its tags, and its interfaces with their groups,
// those too that an AWS service hides. One that does not exist is not-found.
func (r *Reader) DescribeInstance(ctx context.Context, id string) (ec2model.Instance, error) {
	return readExisting(ctx, r.absent, id, func(ctx context.Context) (ec2model.Instance, error) {
		return r.instanceOnce(ctx, id)
	})
}

func (r *Reader) instanceOnce(ctx context.Context, id string) (ec2model.Instance, error) {
	out, err := call(ctx, r.api.DescribeInstances,
		&ec2.DescribeInstancesInput{InstanceIds: []string{id}, IncludeManagedResources: aws.Bool(true)})
	if err != nil {
		return ec2model.Instance{}, failure("DescribeInstances", "describe "+id, err)
	}
	for _, reservation := range out.Reservations {
		for _, i := range reservation.Instances {
			if aws.ToString(i.InstanceId) == id && i.State != nil {
				found := instance(i)
				found.OwnerID = aws.ToString(reservation.OwnerId)
				return found, nil
			}
		}
	}
	return ec2model.Instance{},
		protocol.Refuse(protocol.Unavailable, "cannot describe %s: EC2's answer leaves it out; try again",
			id)
}

func instance(i types.Instance) ec2model.Instance {
	m := ec2model.Instance{
		ID: aws.ToString(i.InstanceId), VPCID: aws.ToString(i.VpcId), State: string(i.State.Name),
		Tags: map[string]string{},
		Type: string(i.InstanceType), Launched: aws.ToTime(i.LaunchTime),
		RootDevice: string(i.RootDeviceType), Lifecycle: string(i.InstanceLifecycle),
		Hibernates: i.HibernationOptions != nil && aws.ToBool(i.HibernationOptions.Configured),
		Managed:    i.Operator != nil && aws.ToBool(i.Operator.Managed),
	}
	if i.Placement != nil {
		m.Zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	for _, t := range i.Tags {
		m.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for position, n := range i.NetworkInterfaces {
		if n.Attachment != nil && n.Attachment.Status == types.AttachmentStatusDetached {
			continue
		}
		one := instanceInterface(n)
		one.Position = position
		m.Interfaces = append(m.Interfaces, one)
		if a := n.Association; a != nil && aws.ToString(a.IpOwnerId) == ownedByAmazon {
			m.LostAddress = aws.ToString(a.PublicIp)
		}
	}
	slices.SortStableFunc(m.Interfaces, func(a, b ec2model.InstanceInterface) int {
		return cmp.Or(cmp.Compare(a.Card, b.Card), cmp.Compare(a.Index, b.Index), cmp.Compare(a.ID, b.ID))
	})
	return m
}

// ownedByAmazon is the owner of a public address that EC2 gave of its own. The owner of an Elastic
// IP is an account.
const ownedByAmazon = "amazon"

func instanceInterface(n types.InstanceNetworkInterface) ec2model.InstanceInterface {
	m := ec2model.InstanceInterface{
		ID: aws.ToString(n.NetworkInterfaceId), VPCID: aws.ToString(n.VpcId),
		Type:    aws.ToString(n.InterfaceType),
		Managed: n.Operator != nil && aws.ToBool(n.Operator.Managed),
	}
	if n.Attachment != nil {
		m.Card, m.Index = int(aws.ToInt32(n.Attachment.NetworkCardIndex)),
			int(aws.ToInt32(n.Attachment.DeviceIndex))
	}
	for _, g := range n.Groups {
		m.Groups = append(m.Groups, aws.ToString(g.GroupId))
	}
	slices.Sort(m.Groups)
	for _, a := range n.PrivateIpAddresses {
		one := ec2model.InstanceAddress{Private: aws.ToString(a.PrivateIpAddress)}
		if by := a.Association; by != nil {
			one.Public = aws.ToString(by.PublicIp)
			one.Elastic = aws.ToString(by.IpOwnerId) != ownedByAmazon
		}
		if aws.ToBool(a.Primary) {
			m.Addresses = slices.Insert(m.Addresses, 0, one)
		} else {
			m.Addresses = append(m.Addresses, one)
		}
	}
	return m
}

// StopInstance stops the instance, by force where its system does not stop by itself. It does not
// wait.
func (w *Writer) StopInstance(ctx context.Context, id string) error {
	what := "stop " + id
	return change(ctx, w, w.api.StopInstances, "StopInstances", what,
		&ec2.StopInstancesInput{InstanceIds: []string{id}, Force: aws.Bool(true)})
}

// ShutDownInstance stops the instance by its own system. It does not wait.
func (w *Writer) ShutDownInstance(ctx context.Context, id string) error {
	what := "stop " + id
	return change(ctx, w, w.api.StopInstances, "StopInstances", what,
		&ec2.StopInstancesInput{InstanceIds: []string{id}})
}

// StartInstance starts the instance. It does not wait.
func (w *Writer) StartInstance(ctx context.Context, id string) error {
	what := "start " + id
	return change(ctx, w, w.api.StartInstances, "StartInstances", what,
		&ec2.StartInstancesInput{InstanceIds: []string{id}})
}

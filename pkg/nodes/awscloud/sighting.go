package awscloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"aws-provider-executor/pkg/nodes"
)

// states are EC2's, by their codes. Only the low byte of a code counts.
var states = map[int32]nodes.State{
	0: nodes.StatePending, 16: nodes.StateRunning, 32: nodes.StateShuttingDown,
	48: nodes.StateTerminated, 64: nodes.StateStopping, 80: nodes.StateStopped,
}

// sighting is an instance as EC2 showed it.
func sighting(i *types.Instance) (nodes.Sighting, error) {
	id := aws.ToString(i.InstanceId)
	if id == "" || i.State == nil {
		return nodes.Sighting{}, notRight("an instance has no id or no state")
	}
	state, known := nodes.State(i.State.Name), false
	if known = slices.Contains(nodes.States(), state); !known && i.State.Code != nil {
		state, known = states[*i.State.Code&0xff]
	}
	if !known {
		return nodes.Sighting{}, notRight("the state of %s is %q", id, i.State.Name)
	}
	x := nodes.Sighting{ID: id, State: state, Tags: map[string]string{}}
	for _, t := range i.Tags {
		x.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	x.Name = x.Tags["Name"]
	x.Details = nodes.Details{
		Platform:     platform(i),
		InstanceType: string(i.InstanceType), ImageID: aws.ToString(i.ImageId),
		VPCID: aws.ToString(i.VpcId),
	}
	if i.LaunchTime != nil {
		x.LaunchTime = i.LaunchTime.UTC()
	}
	if i.Placement != nil {
		x.Zone = aws.ToString(i.Placement.AvailabilityZone)
	}
	for n := range i.NetworkInterfaces {
		x.Interfaces = append(x.Interfaces, networkInterface(&i.NetworkInterfaces[n]))
	}
	slices.SortStableFunc(x.Interfaces, func(a, b nodes.Interface) int {
		return a.DeviceIndex - b.DeviceIndex
	})
	x.Addresses = addresses(i, x.Interfaces)
	return x, nil
}

// platform is windows, or what EC2 bills the instance as.
func platform(i *types.Instance) string {
	if i.Platform != "" {
		return string(i.Platform)
	}
	return aws.ToString(i.PlatformDetails)
}

func networkInterface(n *types.InstanceNetworkInterface) nodes.Interface {
	x := nodes.Interface{
		ID: aws.ToString(n.NetworkInterfaceId), SubnetID: aws.ToString(n.SubnetId),
		VPCID: aws.ToString(n.VpcId), MAC: aws.ToString(n.MacAddress),
	}
	if n.Attachment != nil {
		x.DeviceIndex = int(aws.ToInt32(n.Attachment.DeviceIndex))
	}
	for _, a := range n.PrivateIpAddresses {
		at := len(x.Private)
		if aws.ToBool(a.Primary) {
			at = 0
		}
		x.Private = slices.Insert(x.Private, at, aws.ToString(a.PrivateIpAddress))
		if a.Association != nil && aws.ToString(a.Association.PublicIp) != "" {
			x.Public = append(x.Public, *a.Association.PublicIp)
		}
	}
	for _, a := range n.Ipv6Addresses {
		x.Private = append(x.Private, aws.ToString(a.Ipv6Address))
	}
	return x
}

// addresses are all the instance's, its own first, each once.
func addresses(i *types.Instance, interfaces []nodes.Interface) []string {
	all := []string{aws.ToString(i.PrivateIpAddress), aws.ToString(i.PublicIpAddress),
		aws.ToString(i.Ipv6Address)}
	for _, n := range interfaces {
		all = append(append(all, n.Private...), n.Public...)
	}
	var list []string
	for _, a := range all {
		if a != "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// runInstancesIn is a small part of what EC2 takes: alike instances in one subnet, each with one
// interface that has the VPC's default group.
type runInstancesIn struct {
	dryRun
	tagging
	ImageId            string `query:"required"`
	InstanceType       string
	SubnetId           string
	KeyName            string
	MinCount           int
	MaxCount           int
	ClientToken        string
	UserData           string
	SecurityGroup      []string `query:"unheld"`
	Placement          struct{} `query:"unheld"`
	EbsOptimized       bool
	Ipv6AddressCount   int      `query:"unheld"`
	SecurityGroupId    []string `query:"unheld"`
	NetworkInterface   struct{} `query:"unheld"`
	BlockDeviceMapping struct{} `query:"unheld"`
	IamInstanceProfile struct{} `query:"unheld"`
	LaunchTemplate     struct{} `query:"unheld"`
	PrivateIpAddress   string   `query:"unheld"`
}

func (in *runInstancesIn) resources(*world.World) []string {
	return []string{world.NewInstanceID, world.NewInterfaceID, in.SubnetId}
}

func (in *runInstancesIn) subnet() string { return in.SubnetId }

func (in *runInstancesIn) tagsOn() []string {
	if !in.tags() {
		return nil
	}
	return []string{world.NewInstanceID}
}

func (in *runInstancesIn) units() int { return in.MaxCount }

func runInstances(c *call, in *runInstancesIn) (any, error) {
	tags, err := in.tagged("instance")
	switch {
	case err != nil:
		return nil, err
	case in.MinCount < 1:
		return nil, refusal.Missing("MinCount")
	case in.MaxCount < in.MinCount:
		return nil, refusal.InvalidValue("Value (%d) for parameter maxCount is invalid."+
			" Expecting a value of minCount or more.", in.MaxCount)
	case in.SubnetId == "":
		return nil, refusal.New("UnsupportedOperation", "ec2sim runs instances in a named subnet only.")
	}
	subnet, err := world.Find(c.World.Subnets, world.SubnetIDs, in.SubnetId)
	if err != nil {
		return nil, err
	}
	ids, err := c.Once(c.tokenOf(in.ClientToken), asked(*in), func() ([]string, error) {
		return c.launch(in, subnet, tags)
	})
	if err != nil {
		return nil, err
	}
	started, err := world.FindAll(c.World.Instances, world.InstanceIDs, ids)
	if err != nil {
		return nil, err
	}
	x := reservationXML{ID: started[0].ReservationID, OwnerID: c.World.Owner}
	x.Instances = query.List(started, func(i *world.Instance) instanceXML {
		return c.view().instanceXML(i, false)
	})
	return x, nil
}

// launch starts as many instances as the subnet has addresses for, up to what is asked for.
func (c *call) launch(
	in *runInstancesIn, subnet *world.Subnet, tags world.Tags,
) ([]string, error) {
	count := min(in.MaxCount, len(c.World.Free(subnet, in.MaxCount)))
	if count < in.MinCount {
		return nil, refusal.New("InsufficientFreeAddressesInSubnet", "There are not enough free"+
			" addresses in subnet '%s' to satisfy the requested number of instances.", subnet.ID)
	}
	kind := in.InstanceType
	if kind == "" {
		kind = "m1.small"
	}
	started, err := c.Launch(world.Instance{
		Type: kind, ImageID: in.ImageId, KeyName: in.KeyName, SubnetID: subnet.ID, Tags: tags,
	}, count)
	ids := make([]string, len(started))
	for i, s := range started {
		ids[i], s.ReservationID = s.ID, started[0].ReservationID
	}
	return ids, err
}

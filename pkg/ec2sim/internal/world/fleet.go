package world

import (
	"strconv"
	"strings"
	"time"
)

// fleetNetwork is the network of a fleet that names no subnet.
const fleetNetwork = "10.0.0.0/16"

// AddFleet adds instances that are alike, each with one interface. In the values of their tags {n}
// stands for the number of the instance, from 1. Without a subnet they get a VPC of their own.
func (w *World) AddFleet(m Minter, like Instance, count int, now time.Time) []*Instance {
	if count < 1 {
		cannot("a fleet has at least one instance")
	}
	if like.ID != "" || like.ReservationID != "" {
		cannot("the instances of a fleet have ids of their own")
	}
	if like.SubnetID == "" {
		vpc := w.AddWholeVPC(m, VPC{CIDR: fleetNetwork, Tags: Tags{"Name": "fleet"}})
		like.SubnetID = w.AddSubnet(m, Subnet{VPCID: vpc.ID, CIDR: fleetNetwork,
			AvailabilityZone: like.AvailabilityZone}).ID
	}
	subnet := Must(w.Subnets, like.SubnetID)
	addresses := w.Free(subnet, count)
	if len(addresses) < count {
		cannot("the subnet " + subnet.ID + " has not " + strconv.Itoa(count) + " free addresses")
	}
	var groups []string
	if g := w.defaultGroup(subnet.VPCID); g != nil {
		groups = []string{g.ID}
	}
	added := make([]*Instance, count)
	for n := range added {
		i := w.addInstance(m, numbered(like, n+1), now)
		added[n] = i
		if i.State == "terminated" {
			continue
		}
		// The addresses are known to be free and the instance to have no other interface: what
		// AddInterface looks for among all interfaces would take long.
		put(w.Interfaces, Interface{
			ID: m.id("eni"), SubnetID: subnet.ID, VPCID: subnet.VPCID,
			AvailabilityZone: subnet.AvailabilityZone, MAC: m.mac(), Type: PlainType,
			SourceDestCheck: true, Groups: groups,
			PrivateAddresses: []PrivateAddress{{addresses[n], true}},
			Attachment: &Attachment{ID: m.id("eni-attach"), InstanceID: i.ID, InstanceOwner: w.Owner,
				Status: "attached", AttachTime: i.LaunchTime, DeleteOnTermination: true},
		})
	}
	return added
}

// numbered is an instance of a fleet.
func numbered(like Instance, n int) Instance {
	like = like.clone()
	for key, value := range like.Tags {
		like.Tags[key] = strings.ReplaceAll(value, "{n}", strconv.Itoa(n))
	}
	return like
}

// fleet is how a document describes instances that are alike.
type fleet struct {
	Count    int      `json:"count"`
	Instance Instance `json:"instance"`
}

func (f fleet) clone() fleet { f.Instance = f.Instance.clone(); return f }

// key is empty: a fleet has no id.
func (f fleet) key() string { return "" }

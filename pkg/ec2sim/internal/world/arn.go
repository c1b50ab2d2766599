package world

import "strings"

// The ids of what is to be made, for IAM: nothing has them.
const (
	NewInterfaceID  = "eni-*"
	NewInstanceID   = "i-*"
	NewAllocationID = "eipalloc-*"
)

// IsNew reports whether an id is one of those.
func IsNew(id string) bool { return strings.HasSuffix(id, "-*") }

// ARNOf is the ARN of what has the id, whether or not it exists. An ARN is its own.
func (w *World) ARNOf(id string) string {
	if strings.HasPrefix(id, "arn:") {
		return id
	}
	kind := ResourceType(id)
	if kind == "" {
		kind = "*"
	}
	return w.ARN(kind, id)
}

// ConditionKeys are the keys a call on the resource has; id is empty for a call on none.
func (w *World) ConditionKeys(id string) map[string][]string {
	keys := map[string][]string{}
	set := func(name, value string) { keys[name] = []string{value} }
	set("ec2:Region", w.Region)
	set("aws:RequestedRegion", w.Region)
	if tags := w.tagged(id); tags != nil {
		for key, value := range *tags {
			set("aws:ResourceTag/"+key, value)
			set("ec2:ResourceTag/"+key, value)
		}
	}
	if _, name, is := strings.Cut(id, ":autoScalingGroupName/"); is && w.ScalingGroups[name] != nil {
		for key, value := range w.ScalingGroups[name].Tags {
			set("aws:ResourceTag/"+key, value)
		}
	}
	prefix, _, _ := strings.Cut(id, "-")
	if name, ok := idKeys[prefix]; ok {
		set("ec2:"+name, id)
	}
	w.setPlace(keys, id)
	return keys
}

// KeysOfNew are the keys of a call on what is to be made in a subnet.
func (w *World) KeysOfNew(id, subnet string) map[string][]string {
	keys := w.ConditionKeys(id)
	w.setPlace(keys, subnet)
	return keys
}

// setPlace sets the keys of where a resource is.
func (w *World) setPlace(keys map[string][]string, id string) {
	set := func(name, value string) { keys[name] = []string{value} }
	vpc, subnet, zone := w.place(id)
	if vpc != "" {
		set("ec2:Vpc", w.ARN("vpc", vpc))
	}
	if subnet != "" {
		set("ec2:Subnet", w.ARN("subnet", subnet))
	}
	if zone != "" {
		set("ec2:AvailabilityZone", zone)
	}
}

var idKeys = map[string]string{
	"eni": "NetworkInterfaceID", "i": "InstanceID", "sg": "SecurityGroupID", "rtb": "RouteTableID",
	"subnet": "SubnetID", "vpc": "VpcID", "eipalloc": "AllocationId",
}

// place says in which VPC, subnet and zone a resource is, as far as IAM has keys for that.
func (w *World) place(id string) (vpc, subnet, zone string) {
	if i := w.Interfaces[id]; i != nil {
		return i.VPCID, i.SubnetID, i.AvailabilityZone
	}
	if i := w.Instances[id]; i != nil {
		return "", "", i.AvailabilityZone
	}
	if g := w.Groups[id]; g != nil {
		return g.VPCID, "", ""
	}
	if s := w.Subnets[id]; s != nil {
		return s.VPCID, s.ID, s.AvailabilityZone
	}
	if t := w.Routes[id]; t != nil {
		return t.VPCID, "", ""
	}
	return "", "", ""
}

package api

import (
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeInstancesIn struct {
	dryRun
	page
	InstanceId              []string
	Filter                  []filter
	IncludeManagedResources bool
}

func (in *describeInstancesIn) plain() bool { return isPlain(in.Filter, in.page) }

type instanceStateXML struct {
	Code int    `xml:"code"`
	Name string `xml:"name"`
}

type placementXML struct {
	Zone    string `xml:"availabilityZone"`
	ZoneID  string `xml:"availabilityZoneId"`
	Group   string `xml:"groupName"`
	Tenancy string `xml:"tenancy"`
}

type hibernationXML struct {
	Configured bool `xml:"configured"`
}

type profileXML struct {
	ARN string `xml:"arn"`
	ID  string `xml:"id"`
}

type stateReasonXML struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

type instanceXML struct {
	ID              string                    `xml:"instanceId"`
	ImageID         string                    `xml:"imageId"`
	State           instanceStateXML          `xml:"instanceState"`
	PrivateDNSName  string                    `xml:"privateDnsName"`
	DNSName         string                    `xml:"dnsName"`
	Reason          string                    `xml:"reason"`
	StateReason     *stateReasonXML           `xml:"stateReason"`
	KeyName         string                    `xml:"keyName,omitempty"`
	LaunchIndex     int                       `xml:"amiLaunchIndex"`
	ProductCodes    query.Items[string]       `xml:"productCodes"`
	Type            string                    `xml:"instanceType"`
	LaunchTime      string                    `xml:"launchTime"`
	Placement       placementXML              `xml:"placement"`
	Monitoring      stateXML                  `xml:"monitoring"`
	SubnetID        string                    `xml:"subnetId"`
	VPCID           string                    `xml:"vpcId"`
	PrivateAddress  string                    `xml:"privateIpAddress,omitempty"`
	PublicAddress   string                    `xml:"ipAddress,omitempty"`
	IPv6Address     string                    `xml:"ipv6Address,omitempty"`
	SourceDestCheck bool                      `xml:"sourceDestCheck"`
	Groups          query.Items[groupXML]     `xml:"groupSet"`
	Architecture    string                    `xml:"architecture"`
	RootDeviceType  string                    `xml:"rootDeviceType"`
	RootDeviceName  string                    `xml:"rootDeviceName"`
	BlockDevices    query.Items[string]       `xml:"blockDeviceMapping"`
	Virtualization  string                    `xml:"virtualizationType"`
	ClientToken     string                    `xml:"clientToken"`
	Tags            query.Items[tagXML]       `xml:"tagSet"`
	Hypervisor      string                    `xml:"hypervisor"`
	Interfaces      query.Items[interfaceXML] `xml:"networkInterfaceSet"`
	Profile         *profileXML               `xml:"iamInstanceProfile"`
	EBSOptimized    bool                      `xml:"ebsOptimized"`
	ENASupport      bool                      `xml:"enaSupport"`
	Lifecycle       string                    `xml:"instanceLifecycle,omitempty"`
	Hibernation     hibernationXML            `xml:"hibernationOptions"`
}

type reservationXML struct {
	ID        string                   `xml:"reservationId"`
	OwnerID   string                   `xml:"ownerId"`
	Groups    query.Items[groupXML]    `xml:"groupSet"`
	Instances query.Items[instanceXML] `xml:"instancesSet"`
}

func describeInstances(c *call, in *describeInstancesIn) (any, error) {
	c.World.IndexAttached()
	list, next, err := listing[world.Instance]{
		ids:    world.InstanceIDs,
		from:   func(w *world.World) world.Table[world.Instance] { return w.Instances },
		fields: instanceFields,
		limits: pageLimits{min: 5, max: 1000, unbounded: true},
		idSet:  "instancesSet",
	}.pick(c, selection{in.InstanceId, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return struct {
		Reservations query.Items[reservationXML] `xml:"reservationSet"`
		NextToken    string                      `xml:"nextToken,omitempty"`
	}{query.List(list, func(i *world.Instance) reservationXML {
		return c.view().reservationXML(i, in.IncludeManagedResources)
	}), next}, nil
}

// reservationXML shows an instance in a reservation of its own, its hidden interfaces when asked
// to.
func (w view) reservationXML(i *world.Instance, hidden bool) reservationXML {
	x := reservationXML{ID: i.ReservationID, OwnerID: w.Owner}
	x.Instances.Item = []instanceXML{w.instanceXML(i, hidden)}
	return x
}

func (w view) instanceXML(i *world.Instance, hidden bool) instanceXML {
	shown := slices.DeleteFunc(w.Attached(i.ID), func(n *world.Interface) bool {
		return !hidden && n.Operator != nil && n.Operator.Hidden
	})
	x := instanceXML{
		ID: i.ID, ImageID: i.ImageID, State: showState(i.State), KeyName: i.KeyName, Type: i.Type,
		LaunchTime: timeText(i.LaunchTime), Monitoring: stateXML{"disabled"}, SubnetID: i.SubnetID,
		VPCID:        i.VPCID,
		Placement:    placementXML{i.AvailabilityZone, world.ZoneID(i.AvailabilityZone), "", "default"},
		Architecture: "x86_64", RootDeviceType: i.RootDevice, RootDeviceName: "/dev/xvda",
		Virtualization: "hvm",
		Tags:           tagsXML(i.Tags), Hypervisor: "xen", ENASupport: true, Reason: i.StateReason,
		Interfaces: query.List(shown, w.instanceInterfaceXML),
		Lifecycle:  i.Lifecycle, Hibernation: hibernationXML{i.Hibernates},
	}
	if i.StateReason != "" {
		code, _, _ := strings.Cut(i.StateReason, ":")
		x.StateReason = &stateReasonXML{code, i.StateReason}
	}
	if i.Profile != "" {
		x.Profile = &profileXML{i.Profile, "AIPA" + strings.ToUpper(i.ID[2:])}
	}
	if eni := w.PrimaryInterface(i.ID); eni != nil {
		x.PrivateAddress, x.PrivateDNSName = eni.Primary(), w.Hostname(i, eni)
		if len(eni.IPv6Addresses) > 0 {
			x.IPv6Address = eni.IPv6Addresses[0]
		}
		x.SourceDestCheck, x.Groups = eni.SourceDestCheck, query.List(eni.Groups, w.groupXML)
		if bound := w.associationXML(eni.ID, eni.Primary()); bound != nil {
			x.PublicAddress, x.DNSName = bound.PublicIP, bound.PublicDNSName
		}
	}
	return x
}

func showState(name string) instanceStateXML {
	return instanceStateXML{world.StateCodes[name], name}
}

// instanceFields are the filters of DescribeInstances: the instance's own, and those of its
// interfaces.
var instanceFields = withInterfaces(fields[world.Instance]{
	"architecture":      one(func(*world.Instance) string { return "x86_64" }),
	"availability-zone": one(func(i *world.Instance) string { return i.AvailabilityZone }),
	"availability-zone-id": one(func(i *world.Instance) string {
		return world.ZoneID(i.AvailabilityZone)
	}),
	"iam-instance-profile.arn": optional(func(i *world.Instance) string { return i.Profile }),
	"dns-name":                 ofPrimary(ofAddressDNS),
	"reason":                   optional(func(i *world.Instance) string { return i.StateReason }),
	"state-reason-message":     optional(func(i *world.Instance) string { return i.StateReason }),
	"state-reason-code": optional(func(i *world.Instance) string {
		code, _, _ := strings.Cut(i.StateReason, ":")
		return code
	}),
	"image-id":    one(func(i *world.Instance) string { return i.ImageID }),
	"instance-id": one(func(i *world.Instance) string { return i.ID }),
	"instance-state-code": one(func(i *world.Instance) string {
		return intText(world.StateCodes[i.State])
	}),
	"instance-state-name": one(func(i *world.Instance) string { return i.State }),
	"instance-type":       one(func(i *world.Instance) string { return i.Type }),
	"instance.group-id": ofPrimary(func(_ view, eni *world.Interface) []string {
		return eni.Groups
	}),
	"instance.group-name": ofPrimary(groupNames),
	"ip-address":          ofPrimary(interfaceFields["association.public-ip"]),
	"ipv6-address":        ofPrimary(interfaceFields["ipv6-addresses.ipv6-address"]),
	"key-name":            one(func(i *world.Instance) string { return i.KeyName }),
	"launch-time":         one(func(i *world.Instance) string { return timeText(i.LaunchTime) }),
	"owner-id":            ownerFilter[world.Instance],
	"private-dns-name": func(w view, i *world.Instance) []string {
		if eni := w.PrimaryInterface(i.ID); eni != nil {
			return []string{w.Hostname(i, eni)}
		}
		return nil
	},
	"private-ip-address": ofPrimary(interfaceFields["private-ip-address"]),
	"reservation-id":     one(func(i *world.Instance) string { return i.ReservationID }),
	"root-device-type":   one(func(i *world.Instance) string { return i.RootDevice }),
	"source-dest-check":  ofPrimary(interfaceFields["source-dest-check"]),
	"subnet-id":          one(func(i *world.Instance) string { return i.SubnetID }),
	"tenancy":            one(func(*world.Instance) string { return "default" }),
	"vpc-id":             one(func(i *world.Instance) string { return i.VPCID }),

	"network-interface.group-name": ofAttached(groupNames),
	"network-interface.ipv6-addresses.is-primary-ipv6": ofAttached(
		func(_ view, eni *world.Interface) []string {
			var list []string
			for _, a := range eni.IPv6Addresses {
				list = append(list, boolText(a == eni.PrimaryIPv6))
			}
			return list
		}),
	"network-interface.tag-key": ofAttached(func(_ view, eni *world.Interface) []string {
		return slices.Collect(maps.Keys(eni.Tags))
	}),
	"network-interface.tag-value": ofAttached(func(_ view, eni *world.Interface) []string {
		return slices.Collect(maps.Values(eni.Tags))
	}),
	"network-interface.ipv6-address": ofAttached(interfaceFields["ipv6-addresses.ipv6-address"]),
	"network-interface.attachment.network-card-index": ofAttached(
		ofAttachment(func(a *world.Attachment) string {
			return intText(a.NetworkCardIndex)
		})),
})

func groupNames(w view, eni *world.Interface) []string {
	var names []string
	for _, id := range eni.Groups {
		names = append(names, w.GroupName(id))
	}
	return names
}

func withInterfaces(own fields[world.Instance]) fields[world.Instance] {
	for name, read := range interfaceFields {
		own["network-interface."+name] = ofAttached(read)
	}
	return own
}

func ofAttached(read func(view, *world.Interface) []string) func(view, *world.Instance) []string {
	return func(w view, i *world.Instance) []string {
		var list []string
		for _, eni := range w.Attached(i.ID) {
			list = append(list, read(w, eni)...)
		}
		return list
	}
}

func ofPrimary(read func(view, *world.Interface) []string) func(view, *world.Instance) []string {
	return func(w view, i *world.Instance) []string {
		if eni := w.PrimaryInterface(i.ID); eni != nil {
			return read(w, eni)
		}
		return nil
	}
}

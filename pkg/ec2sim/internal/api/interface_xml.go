package api

import (
	"maps"
	"slices"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type groupXML struct {
	ID   string `xml:"groupId"`
	Name string `xml:"groupName"`
}

type attachmentXML struct {
	ID                  string `xml:"attachmentId"`
	InstanceID          string `xml:"instanceId,omitempty"`
	InstanceOwnerID     string `xml:"instanceOwnerId,omitempty"`
	DeviceIndex         int    `xml:"deviceIndex"`
	NetworkCardIndex    int    `xml:"networkCardIndex"`
	Status              string `xml:"status"`
	AttachTime          string `xml:"attachTime"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
}

type associationXML struct {
	PublicIP      string `xml:"publicIp"`
	PublicDNSName string `xml:"publicDnsName"`
	IPOwnerID     string `xml:"ipOwnerId"`
	AllocationID  string `xml:"allocationId,omitempty"`
	AssociationID string `xml:"associationId,omitempty"`
}

type privateAddressXML struct {
	Address     string          `xml:"privateIpAddress"`
	DNSName     string          `xml:"privateDnsName"`
	Primary     bool            `xml:"primary"`
	Association *associationXML `xml:"association"`
}

type ipv6AddressXML struct {
	Address string `xml:"ipv6Address"`
	Primary bool   `xml:"isPrimaryIpv6"`
}

type ipv4PrefixXML struct {
	Prefix string `xml:"ipv4Prefix"`
}

type ipv6PrefixXML struct {
	Prefix string `xml:"ipv6Prefix"`
}

type operatorXML struct {
	Managed   bool   `xml:"managed"`
	Principal string `xml:"principal,omitempty"`
	Hidden    bool   `xml:"hiddenByDefault,omitempty"`
}

// interfaceXML is an interface, alone or (with some fields left out) as a part of an instance.
type interfaceXML struct {
	ID                 string                         `xml:"networkInterfaceId"`
	SubnetID           string                         `xml:"subnetId"`
	VPCID              string                         `xml:"vpcId"`
	AvailabilityZone   string                         `xml:"availabilityZone,omitempty"`
	AvailabilityZoneID string                         `xml:"availabilityZoneId,omitempty"`
	Description        string                         `xml:"description"`
	OwnerID            string                         `xml:"ownerId"`
	RequesterID        string                         `xml:"requesterId,omitempty"`
	RequesterManaged   *bool                          `xml:"requesterManaged"`
	Status             string                         `xml:"status"`
	MAC                string                         `xml:"macAddress"`
	PrivateAddress     string                         `xml:"privateIpAddress,omitempty"`
	PrivateDNSName     string                         `xml:"privateDnsName,omitempty"`
	SourceDestCheck    bool                           `xml:"sourceDestCheck"`
	Type               string                         `xml:"interfaceType"`
	Groups             query.Items[groupXML]          `xml:"groupSet"`
	Attachment         *attachmentXML                 `xml:"attachment"`
	Association        *associationXML                `xml:"association"`
	Tags               *query.Items[tagXML]           `xml:"tagSet"`
	PrivateAddresses   query.Items[privateAddressXML] `xml:"privateIpAddressesSet"`
	IPv6Addresses      query.Items[ipv6AddressXML]    `xml:"ipv6AddressesSet"`
	IPv4Prefixes       query.Items[ipv4PrefixXML]     `xml:"ipv4PrefixSet"`
	IPv6Prefixes       query.Items[ipv6PrefixXML]     `xml:"ipv6PrefixSet"`
	Operator           operatorXML                    `xml:"operator"`
}

func (w view) interfaceXML(eni *world.Interface) interfaceXML {
	tags := tagsXML(eni.Tags)
	x := interfaceXML{
		ID: eni.ID, SubnetID: eni.SubnetID, VPCID: eni.VPCID, Description: eni.Description,
		OwnerID:          w.OwnerOf(eni.ID),
		AvailabilityZone: eni.AvailabilityZone, AvailabilityZoneID: world.ZoneID(eni.AvailabilityZone),
		RequesterID: eni.RequesterID, RequesterManaged: &eni.RequesterManaged,
		Status: eni.Status(), MAC: eni.MAC, Type: eni.Type, SourceDestCheck: eni.SourceDestCheck,
		PrivateAddress: eni.Primary(), PrivateDNSName: w.PrivateDNS(eni.Primary()),
		Groups:      query.List(eni.Groups, w.groupXML),
		Association: w.associationXML(eni.ID, eni.Primary()),
		PrivateAddresses: query.List(eni.PrivateAddresses,
			func(a world.PrivateAddress) privateAddressXML {
				return privateAddressXML{a.Address, w.PrivateDNS(a.Address), a.Primary,
					w.associationXML(eni.ID, a.Address)}
			}),
		IPv6Addresses: query.List(eni.IPv6Addresses, func(a string) ipv6AddressXML {
			return ipv6AddressXML{a, a == eni.PrimaryIPv6}
		}),
		IPv4Prefixes: query.List(world.OfFamily(eni.Prefixes, false), func(p string) ipv4PrefixXML {
			return ipv4PrefixXML{p}
		}),
		IPv6Prefixes: query.List(world.OfFamily(eni.Prefixes, true), func(p string) ipv6PrefixXML {
			return ipv6PrefixXML{p}
		}),
		Tags: &tags,
	}
	if eni.Operator != nil {
		x.Operator = operatorXML{true, eni.Operator.Principal, eni.Operator.Hidden}
	}
	if eni.Attachment != nil {
		x.Attachment = showAttachment(eni.Attachment)
	}
	return x
}

// instanceInterfaceXML leaves out what EC2 does not say of an interface within an instance.
func (w view) instanceInterfaceXML(eni *world.Interface) interfaceXML {
	x := w.interfaceXML(eni)
	x.AvailabilityZone, x.AvailabilityZoneID, x.RequesterID, x.RequesterManaged, x.Tags = "", "", "",
		nil, nil
	if x.Attachment != nil {
		x.Attachment.InstanceID, x.Attachment.InstanceOwnerID = "", ""
	}
	x.Association.withoutIDs()
	for _, a := range x.PrivateAddresses.Item {
		a.Association.withoutIDs()
	}
	return x
}

func (a *associationXML) withoutIDs() {
	if a != nil {
		a.AllocationID, a.AssociationID = "", ""
	}
}

func showAttachment(a *world.Attachment) *attachmentXML {
	return &attachmentXML{a.ID, a.InstanceID, a.InstanceOwner, a.DeviceIndex, a.NetworkCardIndex,
		a.Status, timeText(a.AttachTime), a.DeleteOnTermination}
}

func (w view) groupXML(id string) groupXML {
	return groupXML{id, w.GroupName(id)}
}

func (w view) associationXML(eni, address string) *associationXML {
	a := w.Association(eni, address)
	if a == nil {
		return w.publicXML(w.Interfaces[eni], address)
	}
	return &associationXML{a.PublicIP, w.PublicDNS(a.PublicIP), w.Owner, a.AllocationID,
		a.AssociationID}
}

// publicXML is the association of an address of EC2's own pool, which is there while the instance
// runs.
func (w view) publicXML(eni *world.Interface, address string) *associationXML {
	if eni == nil || eni.PublicIP == "" || eni.Primary() != address {
		return nil
	}
	if i := w.Instances[eni.Instance()]; i == nil || i.State != "running" {
		return nil
	}
	return &associationXML{PublicIP: eni.PublicIP, PublicDNSName: w.PublicDNS(eni.PublicIP),
		IPOwnerID: "amazon"}
}

func tagsXML(tags world.Tags) query.Items[tagXML] {
	return query.List(slices.Sorted(maps.Keys(tags)), func(key string) tagXML {
		return tagXML{key, tags[key]}
	})
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

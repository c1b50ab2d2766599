package ec2sim

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/query"
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

type operatorXML struct {
	Managed   bool   `xml:"managed"`
	Principal string `xml:"principal,omitempty"`
	Hidden    bool   `xml:"hiddenByDefault,omitempty"`
}

// interfaceXML is an interface, alone or (with the first fields left out) as a part of an instance.
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
	PrivateAddress     string                         `xml:"privateIpAddress"`
	PrivateDNSName     string                         `xml:"privateDnsName"`
	SourceDestCheck    bool                           `xml:"sourceDestCheck"`
	Type               string                         `xml:"interfaceType"`
	Groups             query.Items[groupXML]          `xml:"groupSet"`
	Attachment         *attachmentXML                 `xml:"attachment"`
	Association        *associationXML                `xml:"association"`
	Tags               *query.Items[tagXML]           `xml:"tagSet"`
	PrivateAddresses   query.Items[privateAddressXML] `xml:"privateIpAddressesSet"`
	IPv6Addresses      query.Items[ipv6AddressXML]    `xml:"ipv6AddressesSet"`
	IPv4Prefixes       query.Items[string]            `xml:"ipv4PrefixSet"`
	IPv6Prefixes       query.Items[string]            `xml:"ipv6PrefixSet"`
	Operator           operatorXML                    `xml:"operator"`
}

func (w *world) interfaceXML(eni *Interface) interfaceXML {
	x := w.instanceInterfaceXML(eni)
	tags := tagsXML(eni.Tags)
	x.AvailabilityZone, x.AvailabilityZoneID = eni.AvailabilityZone, zoneID(eni.AvailabilityZone)
	x.RequesterID, x.RequesterManaged, x.Tags = eni.RequesterID, &eni.RequesterManaged, &tags
	return x
}

// instanceInterfaceXML leaves out what EC2 does not say of an interface within an instance.
func (w *world) instanceInterfaceXML(eni *Interface) interfaceXML {
	x := interfaceXML{
		ID: eni.ID, SubnetID: eni.SubnetID, VPCID: eni.VPCID, Description: eni.Description, OwnerID: w.owner,
		Status: eni.status(), MAC: eni.MAC, Type: eni.Type, SourceDestCheck: eni.SourceDestCheck,
		PrivateAddress: eni.primary(), PrivateDNSName: w.privateDNS(eni.primary()),
		Groups:      query.List(eni.Groups, w.groupXML),
		Association: w.associationXML(eni.ID, eni.primary()),
		PrivateAddresses: query.List(eni.PrivateAddresses, func(a PrivateAddress) privateAddressXML {
			return privateAddressXML{a.Address, w.privateDNS(a.Address), a.Primary, w.associationXML(eni.ID, a.Address)}
		}),
		IPv6Addresses: query.List(eni.IPv6Addresses, func(a string) ipv6AddressXML { return ipv6AddressXML{Address: a} }),
	}
	if eni.Operator != nil {
		x.Operator = operatorXML{true, eni.Operator.Principal, eni.Operator.Hidden}
	}
	if eni.Attachment != nil {
		x.Attachment = showAttachment(eni.Attachment)
	}
	return x
}

func showAttachment(a *Attachment) *attachmentXML {
	return &attachmentXML{a.ID, a.InstanceID, a.InstanceOwner, a.DeviceIndex, a.NetworkCardIndex,
		a.Status, timeText(a.AttachTime), a.DeleteOnTermination}
}

func (w *world) groupXML(id string) groupXML {
	if g := w.groups[id]; g != nil {
		return groupXML{id, g.Name}
	}
	return groupXML{ID: id}
}

func (w *world) associationXML(eni, address string) *associationXML {
	a := w.association(eni, address)
	if a == nil {
		return nil
	}
	return &associationXML{a.PublicIP, w.publicDNS(a.PublicIP), w.owner, a.AllocationID, a.AssociationID}
}

func (w *world) privateDNS(address string) string {
	if address == "" {
		return ""
	}
	return "ip-" + strings.ReplaceAll(address, ".", "-") + "." + w.region + ".compute.internal"
}

func (w *world) publicDNS(address string) string {
	return "ec2-" + strings.ReplaceAll(address, ".", "-") + "." + w.region + ".compute.amazonaws.com"
}

func tagsXML(tags Tags) query.Items[tagXML] {
	return query.List(slices.Sorted(maps.Keys(tags)), func(key string) tagXML { return tagXML{key, tags[key]} })
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// zoneID makes an id of a zone's name: ap-northeast-1a is apne1-az1.
func zoneID(zone string) string {
	if zone == "" {
		return ""
	}
	parts := strings.Split(zone[:len(zone)-1], "-")
	short := parts[0]
	for _, part := range parts[1:] {
		for _, direction := range []string{"north", "south", "east", "west", "central"} {
			if strings.Contains(part, direction) {
				short += direction[:1]
			}
		}
		if strings.Trim(part, "0123456789") == "" {
			short += part
		}
	}
	return short + "-az" + string('1'+zone[len(zone)-1]-'a')
}

// interfaceFields are the filters of DescribeNetworkInterfaces.
var interfaceFields = fields[Interface]{
	"addresses.private-ip-address": many(func(i *Interface) []string { return addressesOf(i) }),
	"addresses.primary": many(func(i *Interface) []string {
		var list []string
		for _, a := range i.PrivateAddresses {
			list = append(list, boolText(a.Primary))
		}
		return list
	}),
	"addresses.association.public-ip": ofAssociations(func(a *Address) string { return a.PublicIP }),
	"association.allocation-id":       ofAssociations(func(a *Address) string { return a.AllocationID }),
	"association.association-id":      ofAssociations(func(a *Address) string { return a.AssociationID }),
	"association.public-ip":           ofAssociations(func(a *Address) string { return a.PublicIP }),
	"attachment.attachment-id":        ofAttachment(func(a *Attachment) string { return a.ID }),
	"attachment.attach-time":          ofAttachment(func(a *Attachment) string { return timeText(a.AttachTime) }),
	"attachment.delete-on-termination": ofAttachment(func(a *Attachment) string {
		return boolText(a.DeleteOnTermination)
	}),
	"attachment.device-index": ofAttachment(func(a *Attachment) string { return intText(a.DeviceIndex) }),
	"attachment.instance-id":  ofAttachment(func(a *Attachment) string { return a.InstanceID }),
	"attachment.instance-owner-id": ofAttachment(func(a *Attachment) string {
		return a.InstanceOwner
	}),
	"attachment.status":           ofAttachment(func(a *Attachment) string { return a.Status }),
	"availability-zone":           one(func(i *Interface) string { return i.AvailabilityZone }),
	"availability-zone-id":        one(func(i *Interface) string { return zoneID(i.AvailabilityZone) }),
	"description":                 one(func(i *Interface) string { return i.Description }),
	"group-id":                    many(func(i *Interface) []string { return i.Groups }),
	"interface-type":              one(func(i *Interface) string { return i.Type }),
	"ipv6-addresses.ipv6-address": many(func(i *Interface) []string { return i.IPv6Addresses }),
	"mac-address":                 one(func(i *Interface) string { return i.MAC }),
	"network-interface-id":        one(func(i *Interface) string { return i.ID }),
	"owner-id":                    ownerField[Interface],
	"operator.managed":            yes(func(i *Interface) bool { return i.Operator != nil }),
	"operator.principal": many(func(i *Interface) []string {
		if i.Operator == nil {
			return nil
		}
		return []string{i.Operator.Principal}
	}),
	"private-dns-name": func(w *world, i *Interface) []string {
		return []string{w.privateDNS(i.primary())}
	},
	"private-ip-address": one(func(i *Interface) string { return i.primary() }),
	"requester-id":       one(func(i *Interface) string { return i.RequesterID }),
	"requester-managed":  yes(func(i *Interface) bool { return i.RequesterManaged }),
	"source-dest-check":  yes(func(i *Interface) bool { return i.SourceDestCheck }),
	"status":             one(func(i *Interface) string { return i.status() }),
	"subnet-id":          one(func(i *Interface) string { return i.SubnetID }),
	"vpc-id":             one(func(i *Interface) string { return i.VPCID }),
}

func addressesOf(i *Interface) []string {
	var list []string
	for _, a := range i.PrivateAddresses {
		list = append(list, a.Address)
	}
	return list
}

func ofAttachment(read func(*Attachment) string) func(*world, *Interface) []string {
	return func(_ *world, i *Interface) []string {
		if i.Attachment == nil {
			return nil
		}
		return []string{read(i.Attachment)}
	}
}

func ofAssociations(read func(*Address) string) func(*world, *Interface) []string {
	return func(w *world, i *Interface) []string {
		var list []string
		for _, p := range i.PrivateAddresses {
			if a := w.association(i.ID, p.Address); a != nil {
				list = append(list, read(a))
			}
		}
		return list
	}
}

func ipv4(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Is4()
}

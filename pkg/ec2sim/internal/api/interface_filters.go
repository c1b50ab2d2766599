package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

// interfaceFields are the filters of DescribeNetworkInterfaces.
var interfaceFields = fields[world.Interface]{
	"addresses.private-ip-address": many(func(i *world.Interface) []string {
		return world.AddressesOf(i)
	}),
	"addresses.primary": many(func(i *world.Interface) []string {
		var list []string
		for _, a := range i.PrivateAddresses {
			list = append(list, boolText(a.Primary))
		}
		return list
	}),
	"addresses.association.owner-id":    ofAddressOwner,
	"addresses.association.ip-owner-id": ofAddressOwner,
	"addresses.association.allocation-id": ofAssociations(func(a *world.Address) string {
		return a.AllocationID
	}),
	"addresses.association.association-id": ofAssociations(func(a *world.Address) string {
		return a.AssociationID
	}),
	"addresses.association.public-dns-name": ofAddressDNS,
	"addresses.association.public-ip": ofAssociations(func(a *world.Address) string {
		return a.PublicIP
	}),
	"association.allocation-id": ofAssociations(func(a *world.Address) string {
		return a.AllocationID
	}),
	"association.association-id": ofAssociations(func(a *world.Address) string {
		return a.AssociationID
	}),
	"association.ip-owner-id":     ofAddressOwner,
	"association.public-dns-name": ofAddressDNS,
	"association.public-ip": ofAssociations(func(a *world.Address) string {
		return a.PublicIP
	}),
	"attachment.attachment-id": ofAttachment(func(a *world.Attachment) string {
		return a.ID
	}),
	"attachment.attach-time": ofAttachment(func(a *world.Attachment) string {
		return timeText(a.AttachTime)
	}),
	"attachment.delete-on-termination": ofAttachment(func(a *world.Attachment) string {
		return boolText(a.DeleteOnTermination)
	}),
	"attachment.device-index": ofAttachment(func(a *world.Attachment) string {
		return intText(a.DeviceIndex)
	}),
	"attachment.instance-id": ofAttachment(func(a *world.Attachment) string { return a.InstanceID }),
	"attachment.instance-owner-id": ofAttachment(func(a *world.Attachment) string {
		return a.InstanceOwner
	}),
	"attachment.status": ofAttachment(func(a *world.Attachment) string { return a.Status }),
	"addresses.private-dns-name": func(w view, i *world.Interface) []string {
		var list []string
		for _, a := range world.AddressesOf(i) {
			list = append(list, w.PrivateDNS(a))
		}
		return list
	},
	"availability-zone": one(func(i *world.Interface) string { return i.AvailabilityZone }),
	"availability-zone-id": one(func(i *world.Interface) string {
		return world.ZoneID(i.AvailabilityZone)
	}),
	"description":                 one(func(i *world.Interface) string { return i.Description }),
	"group-id":                    many(func(i *world.Interface) []string { return i.Groups }),
	"interface-type":              one(func(i *world.Interface) string { return i.Type }),
	"ipv6-addresses.ipv6-address": many(func(i *world.Interface) []string { return i.IPv6Addresses }),
	"mac-address":                 one(func(i *world.Interface) string { return i.MAC }),
	"network-interface-id":        one(func(i *world.Interface) string { return i.ID }),
	"owner-id":                    ownerFilter[world.Interface],
	"operator.managed":            yes(func(i *world.Interface) bool { return i.Operator != nil }),
	"operator.principal": many(func(i *world.Interface) []string {
		if i.Operator == nil {
			return nil
		}
		return []string{i.Operator.Principal}
	}),
	"private-dns-name": func(w view, i *world.Interface) []string {
		if i.Primary() == "" {
			return nil
		}
		return []string{w.PrivateDNS(i.Primary())}
	},
	"private-ip-address": optional(func(i *world.Interface) string { return i.Primary() }),
	"requester-id":       one(func(i *world.Interface) string { return i.RequesterID }),
	"requester-managed":  yes(func(i *world.Interface) bool { return i.RequesterManaged }),
	"source-dest-check":  yes(func(i *world.Interface) bool { return i.SourceDestCheck }),
	"status":             one(func(i *world.Interface) string { return i.Status() }),
	"subnet-id":          one(func(i *world.Interface) string { return i.SubnetID }),
	"vpc-id":             one(func(i *world.Interface) string { return i.VPCID }),
}

func ofAttachment(read func(*world.Attachment) string) func(view, *world.Interface) []string {
	return func(_ view, i *world.Interface) []string {
		if i.Attachment == nil {
			return nil
		}
		return []string{read(i.Attachment)}
	}
}

func ofAddressOwner(w view, i *world.Interface) []string {
	return ofAssociations(func(*world.Address) string { return w.Owner })(w, i)
}

func ofAddressDNS(w view, i *world.Interface) []string {
	return ofAssociations(func(a *world.Address) string { return w.PublicDNS(a.PublicIP) })(w, i)
}

func ofAssociations(read func(*world.Address) string) func(view, *world.Interface) []string {
	return func(w view, i *world.Interface) []string {
		var list []string
		for _, p := range i.PrivateAddresses {
			if a := w.Association(i.ID, p.Address); a != nil {
				list = append(list, read(a))
			}
		}
		return list
	}
}

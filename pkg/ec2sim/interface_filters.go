package ec2sim

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
	"addresses.association.owner-id":        ofAddressOwner,
	"addresses.association.ip-owner-id":     ofAddressOwner,
	"addresses.association.allocation-id":   ofAssociations(func(a *Address) string { return a.AllocationID }),
	"addresses.association.association-id":  ofAssociations(func(a *Address) string { return a.AssociationID }),
	"addresses.association.public-dns-name": ofAddressDNS,
	"addresses.association.public-ip":       ofAssociations(func(a *Address) string { return a.PublicIP }),
	"association.allocation-id":             ofAssociations(func(a *Address) string { return a.AllocationID }),
	"association.association-id":            ofAssociations(func(a *Address) string { return a.AssociationID }),
	"association.ip-owner-id":               ofAddressOwner,
	"association.public-dns-name":           ofAddressDNS,
	"association.public-ip":                 ofAssociations(func(a *Address) string { return a.PublicIP }),
	"attachment.attachment-id":              ofAttachment(func(a *Attachment) string { return a.ID }),
	"attachment.attach-time":                ofAttachment(func(a *Attachment) string { return timeText(a.AttachTime) }),
	"attachment.delete-on-termination": ofAttachment(func(a *Attachment) string {
		return boolText(a.DeleteOnTermination)
	}),
	"attachment.device-index": ofAttachment(func(a *Attachment) string { return intText(a.DeviceIndex) }),
	"attachment.instance-id":  ofAttachment(func(a *Attachment) string { return a.InstanceID }),
	"attachment.instance-owner-id": ofAttachment(func(a *Attachment) string {
		return a.InstanceOwner
	}),
	"attachment.status": ofAttachment(func(a *Attachment) string { return a.Status }),
	"addresses.private-dns-name": func(w view, i *Interface) []string {
		var list []string
		for _, a := range addressesOf(i) {
			list = append(list, w.privateDNS(a))
		}
		return list
	},
	"availability-zone":           one(func(i *Interface) string { return i.AvailabilityZone }),
	"availability-zone-id":        one(func(i *Interface) string { return zoneID(i.AvailabilityZone) }),
	"description":                 one(func(i *Interface) string { return i.Description }),
	"group-id":                    many(func(i *Interface) []string { return i.Groups }),
	"interface-type":              one(func(i *Interface) string { return i.Type }),
	"ipv6-addresses.ipv6-address": many(func(i *Interface) []string { return i.IPv6Addresses }),
	"mac-address":                 one(func(i *Interface) string { return i.MAC }),
	"network-interface-id":        one(func(i *Interface) string { return i.ID }),
	"owner-id":                    ownerFilter[Interface],
	"operator.managed":            yes(func(i *Interface) bool { return i.Operator != nil }),
	"operator.principal": many(func(i *Interface) []string {
		if i.Operator == nil {
			return nil
		}
		return []string{i.Operator.Principal}
	}),
	"private-dns-name": func(w view, i *Interface) []string {
		if i.primary() == "" {
			return nil
		}
		return []string{w.privateDNS(i.primary())}
	},
	"private-ip-address": optional(func(i *Interface) string { return i.primary() }),
	"requester-id":       one(func(i *Interface) string { return i.RequesterID }),
	"requester-managed":  yes(func(i *Interface) bool { return i.RequesterManaged }),
	"source-dest-check":  yes(func(i *Interface) bool { return i.SourceDestCheck }),
	"status":             one(func(i *Interface) string { return i.status() }),
	"subnet-id":          one(func(i *Interface) string { return i.SubnetID }),
	"vpc-id":             one(func(i *Interface) string { return i.VPCID }),
}

func ofAttachment(read func(*Attachment) string) func(view, *Interface) []string {
	return func(_ view, i *Interface) []string {
		if i.Attachment == nil {
			return nil
		}
		return []string{read(i.Attachment)}
	}
}

func ofAddressOwner(w view, i *Interface) []string {
	return ofAssociations(func(*Address) string { return w.owner })(w, i)
}

func ofAddressDNS(w view, i *Interface) []string {
	return ofAssociations(func(a *Address) string { return w.publicDNS(a.PublicIP) })(w, i)
}

func ofAssociations(read func(*Address) string) func(view, *Interface) []string {
	return func(w view, i *Interface) []string {
		var list []string
		for _, p := range i.PrivateAddresses {
			if a := w.association(i.ID, p.Address); a != nil {
				list = append(list, read(a))
			}
		}
		return list
	}
}

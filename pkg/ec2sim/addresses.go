package ec2sim

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
)

type describeAddressesIn struct {
	dryRun
	PublicIp     []string
	AllocationId []string
	Filter       []filter
}

type addressXML struct {
	PublicIP         string              `xml:"publicIp"`
	AllocationID     string              `xml:"allocationId"`
	AssociationID    string              `xml:"associationId,omitempty"`
	Domain           string              `xml:"domain"`
	InstanceID       string              `xml:"instanceId,omitempty"`
	InterfaceID      string              `xml:"networkInterfaceId,omitempty"`
	InterfaceOwnerID string              `xml:"networkInterfaceOwnerId,omitempty"`
	PrivateIP        string              `xml:"privateIpAddress,omitempty"`
	Border           string              `xml:"networkBorderGroup"`
	Tags             query.Items[tagXML] `xml:"tagSet"`
}

// describeAddresses has no pages.
func describeAddresses(c *call, in *describeAddressesIn) (any, error) {
	ids := slices.Clone(in.AllocationId)
	for _, ip := range in.PublicIp {
		at := slices.IndexFunc(c.w.addresses.list(), func(a *Address) bool { return a.PublicIP == ip })
		if at < 0 {
			return nil, refuse("InvalidAddress.NotFound", "Address '%s' not found.", ip)
		}
		ids = append(ids, c.w.addresses.list()[at].AllocationID)
	}
	list, _, err := listing[Address]{
		ids:    allocationIDs,
		from:   func(w *world) table[Address] { return w.addresses },
		fields: addressFields,
		limits: pageLimits{min: 0, max: len(c.w.addresses)},
	}.pick(c, selection{ids: ids, filters: in.Filter})
	if err != nil {
		return nil, err
	}
	return struct {
		Addresses query.Items[addressXML] `xml:"addressesSet"`
	}{query.List(list, c.view().addressXML)}, nil
}

func (w view) addressXML(a *Address) addressXML {
	x := addressXML{
		PublicIP: a.PublicIP, AllocationID: a.AllocationID, AssociationID: a.AssociationID, Domain: "vpc",
		InterfaceID: a.InterfaceID, PrivateIP: a.PrivateIP, Border: w.region, Tags: tagsXML(a.Tags),
	}
	if eni := w.interfaces[a.InterfaceID]; eni != nil {
		x.InstanceID, x.InterfaceOwnerID = eni.instance(), w.ownerOf(eni.ID)
	}
	return x
}

var addressFields = fields[Address]{
	"allocation-id":  one(func(a *Address) string { return a.AllocationID }),
	"association-id": optional(func(a *Address) string { return a.AssociationID }),
	"instance-id": func(w view, a *Address) []string {
		if eni := w.interfaces[a.InterfaceID]; eni != nil && eni.instance() != "" {
			return []string{eni.instance()}
		}
		return nil
	},
	"network-border-group":       func(w view, _ *Address) []string { return []string{w.region} },
	"network-interface-id":       optional(func(a *Address) string { return a.InterfaceID }),
	"network-interface-owner-id": func(w view, a *Address) []string { return []string{w.ownerOf(a.InterfaceID)} },
	"private-ip-address":         optional(func(a *Address) string { return a.PrivateIP }),
	"public-ip":                  one(func(a *Address) string { return a.PublicIP }),
}

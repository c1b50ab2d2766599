package api

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/world"
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
	Pool             string              `xml:"publicIpv4Pool"`
	Tags             query.Items[tagXML] `xml:"tagSet"`
}

// describeAddresses has no pages.
func describeAddresses(c *call, in *describeAddressesIn) (any, error) {
	ids := slices.Clone(in.AllocationId)
	for _, ip := range in.PublicIp {
		id := allocationOf(c.World, ip)
		if id == "" {
			return nil, errNoAddress(ip)
		}
		ids = append(ids, id)
	}
	list, _, err := listing[world.Address]{
		ids:    world.AllocationIDs,
		from:   func(w *world.World) world.Table[world.Address] { return w.Addresses },
		fields: addressFields,
		limits: pageLimits{min: 0, max: len(c.World.Addresses)},
	}.pick(c, selection{ids: ids, filters: in.Filter})
	if err != nil {
		return nil, err
	}
	return struct {
		Addresses query.Items[addressXML] `xml:"addressesSet"`
	}{query.List(list, c.view().addressXML)}, nil
}

func (w view) addressXML(a *world.Address) addressXML {
	x := addressXML{
		PublicIP: a.PublicIP, AllocationID: a.AllocationID, AssociationID: a.AssociationID, Domain: "vpc",
		InterfaceID: a.InterfaceID, PrivateIP: a.PrivateIP, Border: w.Region, Pool: a.PoolOf(),
		Tags: tagsXML(a.Tags),
	}
	if eni := w.Interfaces[a.InterfaceID]; eni != nil {
		x.InstanceID, x.InterfaceOwnerID = eni.Instance(), w.OwnerOf(eni.ID)
	}
	return x
}

var addressFields = fields[world.Address]{
	"allocation-id":  one(func(a *world.Address) string { return a.AllocationID }),
	"association-id": optional(func(a *world.Address) string { return a.AssociationID }),
	"instance-id": func(w view, a *world.Address) []string {
		if eni := w.Interfaces[a.InterfaceID]; eni != nil && eni.Instance() != "" {
			return []string{eni.Instance()}
		}
		return nil
	},
	"network-border-group": func(w view, _ *world.Address) []string {
		return []string{w.Region}
	},
	"network-interface-id": optional(func(a *world.Address) string { return a.InterfaceID }),
	"network-interface-owner-id": func(w view, a *world.Address) []string {
		return []string{w.OwnerOf(a.InterfaceID)}
	},
	"private-ip-address": optional(func(a *world.Address) string { return a.PrivateIP }),
	"public-ip":          one(func(a *world.Address) string { return a.PublicIP }),
}

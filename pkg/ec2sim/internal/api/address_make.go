package api

import (
	"slices"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type allocateAddressIn struct {
	dryRun
	tagging
	Domain                string
	PublicIpv4Pool        string
	NetworkBorderGroup    string
	Address               string `query:"unheld"`
	CustomerOwnedIpv4Pool string `query:"unheld"`
	IpamPoolId            string `query:"unheld"`
}

func (in *allocateAddressIn) resources(*world.World) []string {
	if in.PublicIpv4Pool != "" && in.PublicIpv4Pool != world.AmazonPool {
		return []string{world.NewAllocationID, in.PublicIpv4Pool}
	}
	return []string{world.NewAllocationID}
}

func (in *allocateAddressIn) tagsOn() []string {
	if !in.tags() {
		return nil
	}
	return []string{world.NewAllocationID}
}

// allocateAddress has no client token: each call gets another address.
func allocateAddress(c *call, in *allocateAddressIn) (any, error) {
	if in.Domain != "" && in.Domain != "vpc" {
		return nil, refusal.InvalidValue("Invalid value '%s' for domain.", in.Domain)
	}
	if in.NetworkBorderGroup != "" && in.NetworkBorderGroup != c.World.Region {
		return nil, refusal.InvalidValue("Invalid value '%s' for NetworkBorderGroup.",
			in.NetworkBorderGroup)
	}
	tags, err := in.tagged("elastic-ip")
	if err != nil {
		return nil, err
	}
	a, err := c.Allocate(in.PublicIpv4Pool, tags)
	if err != nil {
		return nil, err
	}
	return struct {
		PublicIP     string `xml:"publicIp"`
		AllocationID string `xml:"allocationId"`
		Domain       string `xml:"domain"`
		Pool         string `xml:"publicIpv4Pool"`
		Border       string `xml:"networkBorderGroup"`
	}{a.PublicIP, a.AllocationID, "vpc", a.PoolOf(), c.World.Region}, nil
}

type associateAddressIn struct {
	dryRun
	AllocationId       string
	PublicIp           string
	InstanceId         string
	NetworkInterfaceId string
	PrivateIpAddress   string
	// AllowReassociation is true in a VPC where it is left out.
	AllowReassociation *bool
}

func (in *associateAddressIn) resources(w *world.World) []string {
	var ids []string
	for _, id := range []string{in.allocation(w), in.InstanceId, in.NetworkInterfaceId} {
		if id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// allocation is the id of the address that the call names.
func (in *associateAddressIn) allocation(w *world.World) string {
	if in.AllocationId != "" || in.PublicIp == "" {
		return in.AllocationId
	}
	return allocationOf(w, in.PublicIp)
}

func allocationOf(w *world.World, public string) string {
	list := w.Addresses.List()
	at := slices.IndexFunc(list, func(a *world.Address) bool { return a.PublicIP == public })
	if at < 0 {
		return ""
	}
	return list[at].AllocationID
}

func errNoAddress(public string) *refusal.Error {
	return refusal.New("InvalidAddress.NotFound", "Address '%s' not found.", public)
}

func associateAddress(c *call, in *associateAddressIn) (any, error) {
	switch {
	case in.AllocationId == "" && in.PublicIp == "":
		return nil, refusal.Missing("AllocationId")
	case in.AllocationId != "" && in.PublicIp != "":
		return nil, refusal.New("InvalidParameterCombination",
			"You may specify public IP or allocation id, but not both in the same call")
	case in.allocation(c.World) == "":
		return nil, errNoAddress(in.PublicIp)
	}
	a, err := world.Find(c.World.Addresses, world.AllocationIDs, in.allocation(c.World))
	if err != nil {
		return nil, err
	}
	eni, err := c.toAssociate(in)
	if err != nil {
		return nil, err
	}
	association, err := c.Associate(a, eni, in.PrivateIpAddress,
		in.AllowReassociation == nil || *in.AllowReassociation)
	if err != nil {
		return nil, err
	}
	return struct {
		Return        bool   `xml:"return"`
		AssociationID string `xml:"associationId"`
	}{true, association}, nil
}

// toAssociate is the interface that an address is to be bound to: of an instance, the primary one.
func (c *call) toAssociate(in *associateAddressIn) (*world.Interface, error) {
	switch {
	case in.InstanceId != "" && in.NetworkInterfaceId != "":
		return nil, refusal.New("InvalidParameterCombination",
			"You may specify instance id or network interface id, but not both in the same call")
	case in.NetworkInterfaceId != "":
		return c.OwnInterface(in.NetworkInterfaceId)
	case in.InstanceId == "":
		return nil, refusal.Missing("InstanceId")
	}
	i, err := world.Find(c.World.Instances, world.InstanceIDs, in.InstanceId)
	if err != nil {
		return nil, err
	}
	attached := c.World.Attached(i.ID)
	switch {
	case i.State != "running" && i.State != "stopped" && i.State != "stopping":
		return nil, refusal.New("IncorrectInstanceState", "The instance '%s' is not in a valid state"+
			" for this operation.", i.ID)
	case len(attached) != 1 && in.PrivateIpAddress == "":
		return nil, refusal.New("InvalidInstanceID", "There are multiple interfaces attached to"+
			" instance '%s'. Please specify an interface ID for the operation instead.", i.ID)
	}
	for _, eni := range attached {
		if in.PrivateIpAddress == "" || eni.Holds(in.PrivateIpAddress) {
			return c.OwnInterface(eni.ID)
		}
	}
	return nil, refusal.InvalidValue("The private IP address '%s' is not assigned to instance '%s'.",
		in.PrivateIpAddress, i.ID)
}

type disassociateAddressIn struct {
	dryRun
	AssociationId string
	PublicIp      string `query:"unheld"`
}

func (in *disassociateAddressIn) resources(w *world.World) []string {
	if a := w.AssociatedAs(in.AssociationId); a != nil && in.AssociationId != "" {
		return []string{a.AllocationID, a.InterfaceID}
	}
	return []string{""}
}

func disassociateAddress(c *call, in *disassociateAddressIn) (any, error) {
	if in.AssociationId == "" {
		return nil, refusal.Missing("AssociationId")
	}
	return done(c.Disassociate(in.AssociationId))
}

type releaseAddressIn struct {
	dryRun
	AllocationId       string
	PublicIp           string `query:"unheld"`
	NetworkBorderGroup string
}

func (in *releaseAddressIn) resources(*world.World) []string { return []string{in.AllocationId} }

func releaseAddress(c *call, in *releaseAddressIn) (any, error) {
	if in.AllocationId == "" {
		return nil, refusal.Missing("AllocationId")
	}
	return done(c.ReleaseAddress(in.AllocationId))
}

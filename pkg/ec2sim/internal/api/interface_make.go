package api

import (
	"encoding/json"
	"strings"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type createNetworkInterfaceIn struct {
	dryRun
	tagging
	SubnetId           string `query:"required"`
	Description        string
	SecurityGroupId    []string
	PrivateIpAddress   string
	PrivateIpAddresses []struct {
		PrivateIpAddress string
		Primary          bool
	}
	SecondaryPrivateIpAddressCount  int
	ClientToken                     string
	InterfaceType                   string
	Ipv6Addresses                   []string `query:"unheld"`
	Ipv6AddressCount                int      `query:"unheld"`
	Ipv4Prefix                      []string `query:"unheld"`
	Ipv4PrefixCount                 int      `query:"unheld"`
	Ipv6Prefix                      []string `query:"unheld"`
	Ipv6PrefixCount                 int      `query:"unheld"`
	EnablePrimaryIpv6               bool     `query:"unheld"`
	ConnectionTrackingSpecification struct{} `query:"unheld"`
	Operator                        struct{} `query:"unheld"`
}

// resources are the interface that is to be, which no id is known of yet, and what it is made of.
func (in *createNetworkInterfaceIn) resources(*world.World) []string {
	return append([]string{world.NewInterfaceID, in.SubnetId}, in.SecurityGroupId...)
}

func (in *createNetworkInterfaceIn) subnet() string { return in.SubnetId }

func (in *createNetworkInterfaceIn) tagsOn() []string {
	if !in.tags() {
		return nil
	}
	return []string{world.NewInterfaceID}
}

// addresses are the fixed ones, the primary first.
func (in *createNetworkInterfaceIn) addresses() ([]string, error) {
	var primary, others []string
	if in.PrivateIpAddress != "" {
		primary = []string{in.PrivateIpAddress}
	}
	for _, a := range in.PrivateIpAddresses {
		if a.Primary {
			primary = append(primary, a.PrivateIpAddress)
		} else {
			others = append(others, a.PrivateIpAddress)
		}
	}
	switch {
	case in.PrivateIpAddress != "" && len(in.PrivateIpAddresses) > 0:
		return nil, refusal.New("InvalidParameterCombination",
			"The parameters privateIpAddress and privateIpAddresses cannot be used together")
	case len(primary) > 1:
		return nil, refusal.New("InvalidParameterCombination",
			"Only one primary private IP address can be specified.")
	case len(primary) == 0 && len(others) > 0:
		return nil, refusal.New("InvalidParameterCombination",
			"No primary private IP address is specified.")
	}
	return append(primary, others...), nil
}

func createNetworkInterface(c *call, in *createNetworkInterfaceIn) (any, error) {
	if in.InterfaceType != "" && in.InterfaceType != world.PlainType {
		return nil, refusal.New("UnsupportedOperation",
			"ec2sim does not make an interface of the type %s.", in.InterfaceType)
	}
	tags, err := in.tagged("network-interface")
	if err != nil {
		return nil, err
	}
	addresses, err := in.addresses()
	if err != nil {
		return nil, err
	}
	ids, err := c.Once(c.tokenOf(in.ClientToken), asked(*in), func() ([]string, error) {
		eni, err := c.CreateInterface(world.NewInterface{
			SubnetID: in.SubnetId, Description: in.Description, Groups: in.SecurityGroupId,
			Addresses: addresses, More: in.SecondaryPrivateIpAddressCount, Tags: tags,
		})
		if err != nil {
			return nil, err
		}
		return []string{eni.ID}, nil
	})
	if err != nil {
		return nil, err
	}
	// What was made and is deleted since: EC2's answer has not been seen.
	eni, err := world.Find(c.World.Interfaces, world.InterfaceIDs, ids[0])
	if err != nil {
		return nil, err
	}
	shown := c.view().interfaceXML(eni)
	if eni.Attachment == nil {
		shown.Status = "pending"
	}
	return struct {
		Interface   interfaceXML `xml:"networkInterface"`
		ClientToken string       `xml:"clientToken,omitempty"`
	}{shown, in.ClientToken}, nil
}

// tokenOf is a client token among those of all operations; empty if there is none.
func (c *call) tokenOf(token string) string {
	if token == "" {
		return ""
	}
	return c.operation + " " + token
}

// asked is what a call asks for, in one text.
func asked(in any) string {
	text, err := json.Marshal(in)
	if err != nil {
		panic("ec2sim: " + err.Error())
	}
	return strings.TrimSpace(string(text))
}

type deleteNetworkInterfaceIn struct {
	dryRun
	NetworkInterfaceId string `query:"required"`
}

func (in *deleteNetworkInterfaceIn) resources(*world.World) []string {
	return []string{in.NetworkInterfaceId}
}

func deleteNetworkInterface(c *call, in *deleteNetworkInterfaceIn) (any, error) {
	return done(c.DeleteInterface(in.NetworkInterfaceId))
}

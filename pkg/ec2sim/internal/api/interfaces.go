package api

import (
	"aws-provider-executor/pkg/ec2sim/internal/query"
	"aws-provider-executor/pkg/ec2sim/internal/refusal"
	"aws-provider-executor/pkg/ec2sim/internal/world"
)

type describeNetworkInterfacesIn struct {
	dryRun
	page
	NetworkInterfaceId      []string
	Filter                  []filter
	IncludeManagedResources bool
}

func (in *describeNetworkInterfacesIn) plain() bool { return isPlain(in.Filter, in.page) }

type describeNetworkInterfacesOut struct {
	Interfaces query.Items[interfaceXML] `xml:"networkInterfaceSet"`
	NextToken  string                    `xml:"nextToken,omitempty"`
}

func describeNetworkInterfaces(c *call, in *describeNetworkInterfacesIn) (any, error) {
	list, next, err := listing[world.Interface]{
		ids:    world.InterfaceIDs,
		from:   func(w *world.World) world.Table[world.Interface] { return w.Interfaces },
		fields: interfaceFields,
		limits: pageLimits{min: 5, max: 1000},
		idSet:  "networkInterfaceIdSet",
		keep: func(i *world.Interface) bool {
			return in.IncludeManagedResources || i.Operator == nil || !i.Operator.Hidden
		},
	}.pick(c, selection{in.NetworkInterfaceId, in.Filter, in.page})
	if err != nil {
		return nil, err
	}
	return describeNetworkInterfacesOut{query.List(list, c.view().interfaceXML), next}, nil
}

type describeNetworkInterfaceAttributeIn struct {
	dryRun
	NetworkInterfaceId string `query:"required"`
	Attribute          string
}

type stringValueXML struct {
	Value string `xml:"value"`
}

type boolValueXML struct {
	Value bool `xml:"value"`
}

type describeNetworkInterfaceAttributeOut struct {
	ID                string                 `xml:"networkInterfaceId"`
	Description       *stringValueXML        `xml:"description"`
	SourceDestCheck   *boolValueXML          `xml:"sourceDestCheck"`
	Groups            *query.Items[groupXML] `xml:"groupSet"`
	Attachment        *attachmentXML         `xml:"attachment"`
	AssociatePublicIP *bool                  `xml:"associatePublicIpAddress"`
}

func describeNetworkInterfaceAttribute(
	c *call, in *describeNetworkInterfaceAttributeIn,
) (any, error) {
	eni, err := world.Find(c.World.Interfaces, world.InterfaceIDs, in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	out := describeNetworkInterfaceAttributeOut{ID: eni.ID}
	switch in.Attribute {
	case "":
		return nil, refusal.Missing("attribute")
	case "description":
		out.Description = &stringValueXML{eni.Description}
	case "sourceDestCheck":
		out.SourceDestCheck = &boolValueXML{eni.SourceDestCheck}
	case "groupSet":
		groups := query.List(eni.Groups, c.view().groupXML)
		out.Groups = &groups
	case "attachment":
		if eni.Attachment != nil {
			out.Attachment = showAttachment(eni.Attachment)
		}
	case "associatePublicIpAddress":
		out.AssociatePublicIP = new(bool)
	default:
		return nil, refusal.InvalidValue(
			"Value (%s) for parameter attribute is invalid. Unknown attribute.", in.Attribute)
	}
	return out, nil
}

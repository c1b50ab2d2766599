package ec2sim

import "aws-provider-executor/pkg/ec2sim/internal/query"

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
	list, next, err := listing[Interface]{
		ids:    interfaceIDs,
		from:   func(w *world) table[Interface] { return w.interfaces },
		fields: interfaceFields,
		limits: pageLimits{min: 5, max: 1000},
		idSet:  "networkInterfaceIdSet",
		keep: func(i *Interface) bool {
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

func describeNetworkInterfaceAttribute(c *call, in *describeNetworkInterfaceAttributeIn) (any, error) {
	eni, err := find(c.w.interfaces, interfaceIDs, in.NetworkInterfaceId)
	if err != nil {
		return nil, err
	}
	out := describeNetworkInterfaceAttributeOut{ID: eni.ID}
	switch in.Attribute {
	case "":
		return nil, missing("attribute")
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
		return nil, invalidValue("Value (%s) for parameter attribute is invalid. Unknown attribute.", in.Attribute)
	}
	return out, nil
}
